#pragma once
// What a packed sdist says about its dependencies without being unpacked or built.
#include <optional>
#include <string>

#include "base/fs.h"

namespace dae::resolver {

// The PKG-INFO at the top of the sdist where it is final (PEP 643), else what its pyproject.toml states in full.
// nullopt: only a build can tell.
std::optional<std::string> static_metadata(const Path& sdist, const std::string& label);

}  // namespace dae::resolver
