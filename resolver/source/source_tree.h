#pragma once
// Trees with a project in them: are they harmless, what do they contain, what do they say of themselves.
#include <optional>
#include <string>
#include <string_view>

#include "base/fs.h"
#include "base/hash.h"

namespace dae::resolver {

// Every symbolic link leads to a place below `root`, also by way of other links. Throws Error refused.
void check_links_stay_inside(const Path& root, const std::string& label);

// Core metadata as text from `[project]` of pyproject.toml, when name, version, requires-python, dependencies and
// optional-dependencies are all stated there and none is dynamic ("Declaring project metadata"). nullopt when only a
// build can tell. Throws Error bad_input on a file that is broken.
std::optional<std::string> pyproject_metadata(const Path& project, const std::string& label);
std::optional<std::string> metadata_of_pyproject(std::string_view text, const std::string& label);
// PKG-INFO of an unpacked sdist, where it may be believed (metadata 2.2 and nothing of ours dynamic, PEP 643).
std::optional<std::string> sdist_metadata(const Path& project);
bool is_final_pkg_info(std::string_view text);

// Over names, modes and contents, without what tools leave behind (caches, build results, environments) and without
// version control's own folders, except which commit is checked out. nullopt: too large to be worth it.
std::optional<Digest> tree_digest(const Path& root);

// Setuptools, a back end, or nothing: Error bad_input when no project is there.
void check_is_project(const Path& project, const std::string& label);

}  // namespace dae::resolver
