#pragma once
// The requirements format as pip reads it: requirements, paths and addresses, -e, -r, -c, --hash and the options that
// choose indexes and files. What it can do beyond that is refused by name, or named in a warning; never skipped.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resolver/lock/project.h"
#include "resolver/lock/requirements_txt_lines.h"

namespace dae::resolver {

// What becomes of the lines a package already has when `wanted` is added: the one with the same marker is replaced,
// else the first is and the others go. A bare name changes nothing.
struct EditPlan {
  size_t replace = SIZE_MAX;
  std::vector<bool> erase;
};
EditPlan plan_edit(const std::vector<Requirement>& present, const Requirement& wanted);

// Adds what the file (and those it names) requires. `bytes` is the file as it is on disk, `label` its name in origins.
// Throws Error bad_input `label`:line:column. What a variable holds is in no message.
void read_requirements_txt(const Path& path, const std::string& label, std::string_view bytes, ProjectFile& out);

// All other lines stay byte for byte, whatever encoding the file has.
std::string requirements_txt_with(const std::string& bytes, const std::vector<std::string>& requirements);
std::string requirements_txt_without(const std::string& bytes, const std::vector<std::string>& names);

}  // namespace dae::resolver
