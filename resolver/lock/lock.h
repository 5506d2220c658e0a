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

struct LockedVcs {
  std::string type;       // "git", "hg"
  std::string url, path;  // one of them; without credentials
  std::string requested_revision, commit_id, subdirectory;
};
struct LockedDirectory {
  std::string path;  // relative to the lock, or absolute
  std::string subdirectory;
  bool editable = false;
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
  std::string archive_subdirectory;
  std::optional<LockedVcs> vcs;
  std::optional<LockedDirectory> directory;
  std::string other_source;  // going away: `vcs` and `directory` replace it
};

struct Lock {
  std::string requires_python;
  std::vector<std::string> environments;  // markers
  std::vector<std::string> extras, dependency_groups, default_groups;
  std::vector<LockedPackage> packages;  // sorted by name
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
  LockedFile file;  // a wheel, or an sdist when no wheel fits; not for `vcs` and `directory`
  bool is_wheel = true;
  bool direct = false;       // a direct reference, not from an index: direct_url.json records where it came from
  std::string subdirectory = {};  // of an archive
  std::optional<LockedVcs> vcs = {};
  std::optional<LockedDirectory> directory = {};
};
struct SelectOptions {
  std::vector<std::string> extras, groups;
  bool default_groups = true;  // beside `groups`
};
std::vector<Selected> select(const Lock& lock, const Target& target, const SelectOptions& options = {});

}  // namespace dae::resolver
