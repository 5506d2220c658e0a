#pragma once
// Reading a bundle. It came from elsewhere: what the lock names is checked against the lock's digests, what was built
// against those of the manifest, before anything is unpacked.
#include <vector>

#include "resolver/bundle/manifest.h"
#include "resolver/install/environment.h"

namespace dae::resolver {

struct OpenBundle {
  Path root;
  BundleManifest manifest;
  std::string lock_text;
  Lock lock;
};
// A folder. Throws Error not_found when it is none, bad_input when the manifest cannot be read, verification when the
// lock is not the one it was made for.
OpenBundle open_bundle(const Path& root);
// The same of a tar, unpacked below `into` first. Its names, links and sizes are refused as read_archive() says.
OpenBundle open_bundle_archive(const Path& archive, const Path& into);

struct BundledPackage {
  WheelToInstall wheel;              // empty when it has to be built
  const BundleFile* file = nullptr;  // of the bundle's manifest: a wheel, or the sdist to build
  bool build = false;
  Selected what;
};
// What the lock selects, each with its file. `lock_dir` is what relative paths in the lock are relative to. Throws
// Error not_found naming package and targets where the bundle has none for this target, and what select() throws.
std::vector<BundledPackage> packages_of_bundle(const OpenBundle& bundle, const Target& target,
                                               const SelectOptions& which, const Path& lock_dir);
// Into the blob store, digest checked: Error verification.
void take_bundled(const OpenBundle& bundle, const BundleFile& file, BlobStore& blobs);

// No request gets out: whatever asks, and whatever for.
std::unique_ptr<Transport> make_refusing_transport(std::string reason);

}  // namespace dae::resolver
