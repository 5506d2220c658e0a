#pragma once
// [tool.dae.sources]: where a direct requirement comes from, beside what [project] says of it for everybody else.
#include <string>

#include "base/value.h"
#include "resolver/lock/project.h"

namespace dae::resolver {

// Each source replaces the version specifier of the requirements on its package by an address, or pins the package to
// an index. Throws Error bad_input with file:line:column.
void read_sources(const Reader& table, const std::string& file, ProjectFile& out);

// `package` comes from index `name` only, which must be one of `out.indexes`; `value`: where an error is.
void pin_to_index(const Reader& reader, const Value& value, const std::string& package, const std::string& name,
                  ProjectSettings& out);

}  // namespace dae::resolver
