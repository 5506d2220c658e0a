#pragma once
// The requirements format, as far as `pip-req.txt` of an app needs it: requirements with markers, comments,
// continuation lines, -r and -c. What the format can do beyond that is refused by name, never skipped.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resolver/lock/project.h"

namespace dae::resolver {

// A line after joining continuations and taking comments off.
struct LogicalLine {
  size_t begin = 0, end = 0;  // in the text; `end` is behind the line break
  size_t number = 0;          // of the first line, from 1
  std::string text;           // trimmed; may be empty
};
std::vector<LogicalLine> logical_lines(std::string_view text);

// The requirement of a line without its options (--hash); "" when the line is an option or empty.
std::string requirement_part(const std::string& line);

// What becomes of the lines a package already has when `wanted` is added: the one with the same marker is replaced,
// else the first is and the others go. A bare name changes nothing.
struct EditPlan {
  size_t replace = SIZE_MAX;
  std::vector<bool> erase;
};
EditPlan plan_edit(const std::vector<Requirement>& present, const Requirement& wanted);

// Adds what the text (and the files it names) requires. `label` names the file in origins.
void read_requirements_txt(const Path& path, const std::string& label, std::string_view text, ProjectFile& out);

std::string requirements_txt_with(const std::string& text, const std::vector<std::string>& requirements);
std::string requirements_txt_without(const std::string& text, const std::vector<std::string>& names);

}  // namespace dae::resolver
