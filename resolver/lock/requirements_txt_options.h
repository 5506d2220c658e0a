#pragma once
// One line of a requirements file cut into its requirement and its options: "-r x", "-rx", "--requirement=x", quoted
// values, unique beginnings of long names. Which options there are is pip's list.
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace dae::resolver {

struct OptionUse {
  std::string name;   // the long form: "--requirement"
  std::string value;  // quotes taken off; "" for a flag
  size_t offset = 0, value_offset = 0;
  std::string marker;  // of "-e ./dir ; python_version < '3.12'"
  size_t marker_offset = 0;
};
struct SplitLine {
  std::string_view requirement;  // "" in a line of options only
  std::vector<OptionUse> options;
};
// Throws as fail_at() does.
SplitLine split_line(std::string_view text);

// Faults of one line carry their column in the message, as the parsers of requirements and markers put it there.
[[noreturn]] void fail_at(size_t offset, const std::string& message, std::string hint = "");
struct LineFault {
  size_t offset = 0;
  std::string message, hint;
};
LineFault line_fault(const Error& error);

}  // namespace dae::resolver
