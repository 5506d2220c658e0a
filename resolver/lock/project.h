#pragma once
// The direct requirements of an app: [project] dependencies and [dependency-groups] of pyproject.toml, or pip-req.txt.
// Edits touch only their own lines: comments, order and layout of the file stay.
#include <string>
#include <vector>

#include "base/fs.h"
#include "resolver/solver/solver.h"

namespace dae::resolver {

struct ProjectFile {
  Path path;                                  // pyproject.toml or pip-req.txt
  std::string name;                           // [project] name, or ""
  std::string version;                        // [project] version, or ""
  std::string requires_python;                // [project] requires-python, or ""
  std::vector<RootRequirement> requirements;  // origin "pyproject.toml:7"
  std::vector<RootRequirement> dev;           // [dependency-groups] dev
  std::vector<RootRequirement> constraints;   // -c lines of pip-req.txt
};
// Looks for pyproject.toml with [project], then pip-req.txt. Throws not_found with a hint.
ProjectFile read_project(const Path& app_dir);
// The same from text that is not on disk yet; `path` decides the format and names the origins.
ProjectFile parse_project(const Path& path, const std::string& text);

// New file text with these requirement lines added (or replaced, when the same package is there).
// `text` is a requirement as it shall stand ("flask>=3.1").
std::string with_requirements(const ProjectFile& project, const std::string& file_text,
                              const std::vector<std::string>& requirements);
std::string without_requirements(const ProjectFile& project, const std::string& file_text,
                                 const std::vector<std::string>& names);

}  // namespace dae::resolver
