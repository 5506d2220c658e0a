// METADATA of an sdist that does not state it: as a tree that may be written to.
#include "resolver/install/environment.h"
#include "resolver/install/source_build.h"
#include "resolver/source/archive_source.h"

namespace dae::resolver {

std::function<std::string(const IndexFile& file, const Path& sdist)> sdist_metadata_builder(const Interpreter& python,
                                                                                            const Path& cache_dir,
                                                                                            ProcessRunner& runner,
                                                                                            EventSink& events) {
  const auto build = source_metadata_builder(python, cache_dir, runner, events);
  return [python, cache_dir, build](const IndexFile& file, const Path& sdist) {
    SourceTree tree;
    tree.identity = sha256_file(sdist).hex();
    tree.label = file.name;
    tree.scratch = true;
    if (const auto wheel = built_source(tree, python, cache_dir)) return wheel_metadata(*wheel, file.name);
    const TempDir work("dae-sdist-");
    tree.root = unpack_source(sdist, work.path() / "tree", file.name);
    return build(tree);
  };
}

}  // namespace dae::resolver
