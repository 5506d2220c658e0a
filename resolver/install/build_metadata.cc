// Core metadata that only a build back end can tell, for those who resolve.
#include "base/strings.h"
#include "resolver/install/build.h"
#include "resolver/source/archive_source.h"
#include "resolver/source/scratch_dir.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

BuildSubject subject_of(const IndexFile& file, const Path& sdist, const BuildChain& chain) {
  BuildSubject out;
  out.chain = chain;
  out.tree.identity = file.sha256.empty() ? sha256_file(sdist).hex() : lower(file.sha256);
  out.tree.label = file.name;
  out.tree.scratch = true;
  if (const auto name = parse_sdist_name(file.name)) {
    out.name = name->distribution;
    out.version = name->version.text();
  }
  return out;
}

std::string metadata_of_sdist(SourceBuilder& builder, const IndexFile& file, const Path& sdist,
                              const BuildChain& chain) {
  BuildSubject subject = subject_of(file, sdist, chain);
  if (const auto wheel = builder.kept_wheel(subject)) return wheel_metadata(*wheel, file.name);
  const ScratchDir work(".unpack-", builder.cache_dir());
  subject.tree.root = unpack_source(sdist, work.path() / "tree", file.name);
  return builder.metadata(subject);
}

}  // namespace

std::function<std::string(const IndexFile& file, const Path& sdist)> sdist_metadata_builder(SourceBuilder& builder,
                                                                                            BuildChain chain) {
  return [&builder, chain](const IndexFile& file, const Path& sdist) {
    return metadata_of_sdist(builder, file, sdist, chain);
  };
}

std::function<std::string(const SourceTree& tree)> source_metadata_builder(SourceBuilder& builder, BuildChain chain) {
  return [&builder, chain](const SourceTree& tree) { return builder.metadata({tree, "", "", chain}); };
}

}  // namespace dae::resolver
