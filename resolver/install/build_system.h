#pragma once
// What a project says about how it is built: [build-system] of pyproject.toml (PEP 518, 517).
#include <string>
#include <vector>

#include "base/fs.h"

namespace dae::resolver {

struct BuildSystem {
  std::vector<std::string> requirements;  // canonical, sorted, each once
  std::string backend;                    // "module:object"
  std::vector<std::string> backend_path;  // below the project; checked
};

// An absent table means setuptools the old way (PEP 517, "Source trees"). Error bad_input with file:line:column.
BuildSystem read_build_system(const Path& project, const std::string& label);

// Sorted, each once, in one spelling. Error bad_input with `label` as subject.
std::vector<std::string> canonical_requirements(const std::vector<std::string>& texts, const std::string& label);

}  // namespace dae::resolver
