#pragma once
// [tool.dae] of pyproject.toml; share/doc/formats/pyproject.md lists its keys.
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"
#include "resolver/lock/project.h"

namespace dae::resolver {

// A list of requirements, each with its line as origin. Throws Error bad_input with file:line:column.
std::vector<RootRequirement> requirement_list(const Reader& reader, const Value& list, std::string_view what,
                                              const std::string& file, const std::string& scope);

// Fills settings, constraints and overrides, and turns the requirements of `out` to their sources.
void read_project_settings(Reader& table, const std::string& file, ProjectFile& out);

}  // namespace dae::resolver
