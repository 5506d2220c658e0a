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
  std::string name, url, path;  // `name` is what it is stored as; of url and path one at least, path counts first
  std::string sha256;           // hex; always there in what we write
  std::map<std::string, std::string> hashes;  // others; may hold the sha256 again
  std::optional<uint64_t> size_bytes;
  std::string upload_time;  // RFC 3339 in UTC, or ""
};

struct LockedVcs {
  std::string type;       // "git", "hg"
  std::string url, path;  // one of them; without credentials
  std::string requested_revision, commit_id, subdirectory;
  bool operator==(const LockedVcs&) const = default;
};
struct LockedDirectory {
  std::string path;  // relative to the lock, or absolute
  std::string subdirectory;
  bool editable = false;
  bool operator==(const LockedDirectory&) const = default;
};

struct LockedPackage {
  std::string name;     // normalised
  std::string version;  // "" for source trees (vcs, directory): the specification forbids to name one
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
  std::vector<Value> attestation_identities;  // tables with `kind` and the publisher's own keys, kept as they are
};

// What some packages are built with, where no wheel of theirs fits a machine.
struct LockedBuild {
  struct Pin {
    std::string name;  // "setuptools==80.9.0"; with "#" and the digest or commit of a direct reference
    std::string marker;
    bool operator==(const Pin&) const = default;
  };
  std::vector<std::string> packages;      // "docopt==0.6.2", sorted
  std::vector<std::string> requirements;  // what the pins answer: of [build-system] and of the back ends; sorted
  std::vector<Pin> pins;                  // each is one of Lock::build_packages; sorted
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
  std::vector<LockedBuild> builds;            // sorted by packages
  std::vector<LockedPackage> build_packages;  // sorted by name and version; without markers and dependencies
  // What reading it brought up ("pylock.toml:3:1: …"): a newer minor version and the keys it brings. Not written.
  std::vector<std::string> warnings;
};

// "pylock.toml" or "pylock.NAME.toml" without a dot in NAME.
bool is_lock_file_name(std::string_view name);

// Error bad_input with file:line:column, also for a name that no lock may have.
Lock read_lock(const Path& path);
Lock parse_lock(std::string_view text, std::string name);
std::string render_lock(const Lock& lock);  // same lock, same bytes

// What to install on one machine (the specification's "Installing" steps): packages whose marker holds, one file each.
struct Selected {
  std::string name, version;
  LockedFile file;  // a wheel, or an sdist when no wheel fits; not for `vcs` and `directory`
  bool is_wheel = true;
  bool direct = false;            // a direct reference, not from an index: direct_url.json records where it came from
  std::string subdirectory = {};  // of an archive
  std::optional<LockedVcs> vcs = {};
  std::optional<LockedDirectory> directory = {};
};
struct SelectOptions {
  std::vector<std::string> extras, groups;
  bool default_groups = true;  // beside `groups`
};
// Error refused when the lock is for other machines, or has no such extra or group (usage).
std::vector<Selected> select(const Lock& lock, const Target& target, const SelectOptions& options = {});

}  // namespace dae::resolver
