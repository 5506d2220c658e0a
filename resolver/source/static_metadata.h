#pragma once
// What an sdist says about its dependencies without being built.
#include <optional>
#include <string>
#include <string_view>

#include "base/fs.h"

namespace dae::resolver {

// The PKG-INFO at the top of the sdist, when it is final (PEP 643): metadata 2.2 or later in which neither
// Requires-Dist nor Requires-Python nor Provides-Extra is dynamic. Throws Error bad_input for a broken one.
std::optional<std::string> static_pkg_info(const Path& sdist);

// Core metadata that the [project] table of its pyproject.toml stands for; see below.
std::optional<std::string> static_pyproject(const Path& sdist);
// nullopt when the table is absent, or leaves name, version, dependencies or the python range to the build backend.
std::optional<std::string> metadata_of_pyproject(std::string_view text, const std::string& name);

}  // namespace dae::resolver
