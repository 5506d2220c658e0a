#pragma once
// entry_points.txt ("Entry points specification"): the console and gui scripts of a distribution, and the small
// programs that start them.
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"

namespace dae::resolver {

struct EntryPoint {
  std::string name;    // case-sensitive, as written
  std::string module;  // "flask.cli"
  std::string object;  // "main", "Main.run"
};

// [console_scripts] and [gui_scripts]. Throws Error bad_input (subject = `source`) on a script without an object or a
// name that is no plain file name; refused for names of the interpreter itself.
std::vector<EntryPoint> script_entry_points(std::string_view text, std::string_view source);
// `python` and its versioned forms, in any case: no distribution may put itself in the interpreter's place.
bool is_interpreter_name(std::string_view file_name);

// The first line (or lines, where the kernel's limit on "#!" lines or a blank in the path demand it) of a script.
std::string shebang_for(const Path& python);
std::string script_for(const EntryPoint& entry, const Path& python);
// Scripts of a wheel's .data/scripts begin with "#!python" or "#!pythonw", to be replaced ("Binary distribution
// format").
bool has_python_shebang(std::string_view script);
std::string with_shebang(std::string_view script, const Path& python);

}  // namespace dae::resolver
