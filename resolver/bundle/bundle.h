#pragma once
// A lock with every file that some targets select from it, to install where there is no network.
// Format: share/doc/formats/bundle.md.
#include <functional>
#include <string>
#include <vector>

#include "base/archive.h"
#include "resolver/bundle/manifest.h"
#include "resolver/install/environment.h"

namespace dae::resolver {

struct BundlePlan {
  std::vector<Target> targets;
  SelectOptions which;
  std::vector<Selected> files;  // that the lock names, wheels and sdists: each once, sorted by name
  struct Source {
    Selected what;                // sdist, archive, repository or directory
    std::vector<size_t> targets;  // that have no wheel of it
  };
  std::vector<Source> sources;  // sorted by package
  uint64_t size_bytes = 0;      // of the files, as far as the lock says
};
// Pure. Throws what select() throws, naming the target; refused when two files would have one name.
BundlePlan plan_bundle(const Lock& lock, const std::vector<Target>& targets, const SelectOptions& which);

struct BundleContents {
  BundleManifest manifest;
  std::vector<TarEntry> entries;  // sorted by name: files of the blob store, and texts made here
  struct Gap {
    std::string package, target;
    bool has_sdist = false;  // then it can be built there
  };
  std::vector<Gap> gaps;  // targets that find no wheel of a package
  uint64_t size_bytes = 0;
};
// Brings selected files into the blob store and builds what is no wheel: fetch_selected() with what it needs.
using BundleFetch = std::function<std::vector<WheelToInstall>(const std::vector<Selected>& selected)>;

struct BundleInput {
  const Lock& lock;
  std::string lock_text;  // byte for byte
  std::string created_by;
  Target here;        // what builds are made for
  bool build = true;  // wheels of what has none
};
// Fetches, builds, and says what stands where. Equal inputs give equal contents, but for wheels built here: they are as
// their back ends make them.
BundleContents collect_bundle(const BundlePlan& plan, const BundleInput& input, const BundleFetch& fetch,
                              BlobStore& blobs);

// Written beside and renamed: `path` is there whole or not at all. With `replace` what stands there goes, if it is a
// bundle; else Error refused.
void write_bundle_folder(const BundleContents& contents, const Path& path, bool replace, EventSink& events);
void write_bundle_archive(const BundleContents& contents, const Path& path, bool replace, EventSink& events);
bool is_bundle_archive_name(const Path& path);  // ".tar", ".tar.zst"

}  // namespace dae::resolver
