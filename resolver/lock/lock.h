#pragma once
// pylock.toml 1.0 (PEP 751 / "pylock.toml specification"): read strictly, written byte-stable.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/value.h"
#include "resolver/standards/marker.h"
#include "resolver/standards/tags.h"
#include "resolver/standards/version.h"

namespace dae::resolver {

struct LockedFile {
  std::string name, url, path;  // `name` is what it is stored as; one of url/path
  std::string sha256;           // hex; always there in what we write
  std::map<std::string, std::string> hashes;
  std::optional<uint64_t> size_bytes;
  std::string upload_time;
};

struct LockedPackage {
  std::string name;  // normalised
  std::string version;
  std::string marker;
  std::string requires_python;
  std::string index;
  std::vector<std::string> dependencies;  // names; informational
  std::vector<LockedFile> wheels;
  std::optional<LockedFile> sdist;
  std::optional<LockedFile> archive;  // direct URL of an archive or wheel
  std::string other_source;           // "vcs" or "directory": read, but neither written nor installed
};

struct Lock {
  std::string requires_python;
  std::vector<std::string> environments;                               // markers
  std::vector<std::string> extras, dependency_groups, default_groups;  // none in what we write
  std::vector<LockedPackage> packages;                                 // sorted by name
  // [tool.dae]: the inputs this lock answers, so that an unchanged input is a no-op.
  std::string input_digest;
  std::vector<Target> targets;
  std::string cutoff;
};

Lock read_lock(const Path& path);  // Error bad_input with file:line:column
Lock parse_lock(std::string_view text, std::string name);
std::string render_lock(const Lock& lock);  // same lock, same bytes

// What to install on one machine (the specification's "Installing" steps): packages whose marker holds, one file each.
struct Selected {
  std::string name, version;
  LockedFile file;  // a wheel, or an sdist when no wheel fits
  bool is_wheel = true;
  bool direct = false;  // a direct reference, not from an index: direct_url.json records where it came from
};
std::vector<Selected> select(const Lock& lock, const Target& target);

}  // namespace dae::resolver
