#pragma once
// bundle.json: what a bundle holds and for whom. No names of machines, no times.
#include <string>
#include <string_view>
#include <vector>

#include "resolver/lock/lock.h"

namespace dae::resolver {

inline constexpr const char* kBundleManifest = "bundle.json";
inline constexpr const char* kBundleLock = "pylock.toml";

struct BundleFile {
  std::string path;  // "wheels/flask-3.1.2-py3-none-any.whl", "sdists/…"
  std::string sha256;
  uint64_t size_bytes = 0;
  std::string package, version;
  // Of a wheel that the lock does not name: what it was built from, and the platform of the machine that did.
  std::string built_from, built_on;
  std::string direct_url = {};  // direct_url.json of what was built from a repository or an archive
  bool for_building = false;    // only needed to build an sdist of the bundle
};

struct BundleManifest {
  std::string created_by, lock_sha256;
  std::vector<Target> targets;
  SelectOptions which;            // what was selected for them
  std::vector<BundleFile> files;  // sorted by path
};

std::string render_bundle_manifest(const BundleManifest& manifest);
// Throws Error bad_input with file:line:column; also for paths that are no plain names below wheels/ and sdists/.
BundleManifest parse_bundle_manifest(std::string_view text, const std::string& name);

// What a package is built from, as the lock pins it: "sha256:…", "git:<commit>", "directory:lib#sub".
std::string source_identity(const Selected& what);
// Whether a wheel runs on a target. One that was built on a machine runs where its platform's wheels do.
bool bundled_wheel_fits(const BundleFile& file, const Target& target);
std::vector<std::string> target_labels(const std::vector<Target>& targets);

}  // namespace dae::resolver
