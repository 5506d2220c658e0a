#pragma once
// The direct requirements of an app: [project] dependencies and [dependency-groups] of pyproject.toml, or pip-req.txt.
// Edits touch only their own lines: comments, order and layout of the file stay.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fs.h"
#include "resolver/audit/ignore.h"
#include "resolver/solver/solver.h"

namespace dae::resolver {

// What a project says about how it is locked: [tool.dae] of pyproject.toml, or the option lines of pip-req.txt.
struct ProjectSettings {
  struct Index {
    std::string name, url;
    bool pinned_only = false;  // asked for packages that `index_of` names only
  };
  std::vector<Index> indexes;                   // in order; replace the configured ones when not empty
  bool configured_too = false;                  // …but for these, which come first and then the configured ones
  std::map<std::string, std::string> index_of;  // normalised package -> name of its only index
  std::vector<std::string> find_links;          // folders or pages with files
  bool no_index = false;
  PrereleaseMode prereleases = PrereleaseMode::if_necessary;
  Selection selection = Selection::highest;
  std::string exclude_newer;                        // "2026-01-31", RFC 3339, or relative: "7 days"
  std::vector<std::string> no_binary, only_binary;  // normalised names, or ":all:"
  std::vector<std::string> default_groups = {"dev"};
  bool require_hashes = false;
  std::vector<AuditIgnore> audit_ignores;  // [tool.dae.audit]: no part of what decides the lock
};

struct ProjectFile {
  Path path;                                  // pyproject.toml or pip-req.txt
  std::string name;                           // [project] name, or ""
  std::string version;                        // [project] version, or ""
  std::string requires_python;                // [project] requires-python, or ""
  std::vector<RootRequirement> requirements;  // origin "pyproject.toml:7"
  std::vector<RootRequirement> dev;           // [dependency-groups] dev
  std::vector<RootRequirement> constraints;   // -c lines of pip-req.txt, [tool.dae] constraints
  std::vector<RootRequirement> overrides;     // [tool.dae] overrides
  // By normalised name, with RootRequirement::scope set; groups with their includes expanded (PEP 735).
  std::map<std::string, std::vector<RootRequirement>> extras, groups;
  std::map<std::string, std::vector<std::string>> hashes;  // --hash of a line, by package: "sha256:…"
  ProjectSettings settings;
  std::map<std::string, Error> broken_groups;  // not in `groups`: what is wrong with them, for when one is asked for
  std::vector<std::string> warnings;           // "pip-req.txt:3:1: `--trusted-host` is ignored: …", in file order
};
// The requirements of a group (any spelling of its name). Throws what is wrong with it, or not_found.
const std::vector<RootRequirement>& requirements_of_group(const ProjectFile& project, const std::string& name);
// Likewise of an extra.
const std::vector<RootRequirement>& requirements_of_extra(const ProjectFile& project, const std::string& name);

// Looks for pyproject.toml with [project], then pip-req.txt. Throws not_found with a hint.
ProjectFile read_project(const Path& app_dir);
// The same from text that is not on disk yet; `path` decides the format and names the origins.
ProjectFile parse_project(const Path& path, const std::string& text);

// Where an edit goes: [project] dependencies, an extra (optional-dependencies) or a dependency group.
struct EditTarget {
  enum class Kind { dependencies, extra, group };
  Kind kind = Kind::dependencies;
  std::string name = {};  // of the extra or group
};
// New file text with these requirement lines added (or replaced, when the same package is there). Tables and lists that
// are missing are made. A requirement is written as it shall stand ("flask>=3.1", in pip-req.txt "-e ./lib" as well).
std::string with_requirements(const ProjectFile& project, const std::string& file_text,
                              const std::vector<std::string>& requirements, const EditTarget& target = {});
// Without a target: from the dependencies and from group `dev`. Throws not_found when one is not there.
std::string without_requirements(const ProjectFile& project, const std::string& file_text,
                                 const std::vector<std::string>& names,
                                 const std::optional<EditTarget>& target = std::nullopt);

}  // namespace dae::resolver
