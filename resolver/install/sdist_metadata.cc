// METADATA of an sdist that does not state it: by the backend's metadata hook, and by a whole build where there is
// none.
#include <algorithm>

#include "base/archive.h"
#include "base/error.h"
#include "base/hash.h"
#include "resolver/install/environment.h"
#include "resolver/install/metadata_hook.h"
#include "resolver/install/sdist_build.h"

namespace dae::resolver {
namespace {

// The one folder an sdist holds (PEP 625), or the place itself for those that hold none.
Path project_of(const Path& unpacked) {
  const std::vector<std::string> names = list_dir(unpacked);
  return names.size() == 1 ? unpacked / names.front() : unpacked;
}

std::string metadata_of_wheel(const Path& wheel, const std::string& label) {
  for (const ArchiveEntry& entry : list_archive(wheel)) {
    const bool at_top = std::ranges::count(entry.name, '/') == 1;
    if (at_top && entry.name.ends_with(".dist-info/METADATA")) return read_archive_member(wheel, entry.name);
  }
  throw Error(ErrorKind::failed, "its build made a wheel without METADATA", label);
}

}  // namespace

std::function<std::string(const IndexFile& file, const Path& sdist)> sdist_metadata_builder(const Interpreter& python,
                                                                                            const Path& cache_dir,
                                                                                            ProcessRunner& runner,
                                                                                            EventSink& events) {
  return [python, cache_dir, &runner, &events](const IndexFile& file, const Path& sdist) {
    const TempDir tree("dae-sdist-");
    unpack_archive(sdist, tree.path());
    const Path pip_python = builder_python(python, cache_dir, runner, events);
    if (auto text = prepare_metadata(project_of(tree.path()), file.name, pip_python, python, cache_dir, runner, events))
      return std::move(*text);
    return metadata_of_wheel(build_sdist(sdist, file.name, sha256_file(sdist), python, cache_dir, runner, events),
                             file.name);
  };
}

}  // namespace dae::resolver
