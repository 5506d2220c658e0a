#include "resolver/install/entry_points.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

// Older kernels cut the line here (BINPRM_BUF_SIZE 128 with its end).
constexpr size_t kShebangLimit = 127;

bool is_dotted_name(std::string_view text) {
  if (text.empty()) return false;
  for (const std::string& part : split(text, '.')) {
    if (part.empty() || (std::isdigit(static_cast<unsigned char>(part[0])) != 0)) return false;
    // Identifiers may hold any letter; bytes above ASCII are letters to us, everything else stays out of the script.
    const bool plain = std::ranges::all_of(part, [](char c) {
      const auto byte = static_cast<unsigned char>(c);
      return std::isalnum(byte) != 0 || c == '_' || byte >= 0x80;
    });
    if (!plain) return false;
  }
  return true;
}

void check_script_name(const std::string& name, std::string_view source) {
  const bool unsafe = name.empty() || name == "." || name == ".." || name.size() > 255 ||
                      std::ranges::any_of(name, [](char c) { return c == '/' || c == '\\' || (c >= 0 && c < ' '); });
  if (unsafe) throw Error(ErrorKind::bad_input, fmt::format("`{}` is no name for a script", name), std::string(source));
  if (is_interpreter_name(name)) {
    throw Error(ErrorKind::refused, fmt::format("a script called `{}` would replace the interpreter", name),
                std::string(source));
  }
}

EntryPoint parse_entry(std::string_view line, std::string_view source) {
  const size_t equals = line.find('=');
  if (equals == std::string_view::npos) {
    throw Error(ErrorKind::bad_input, fmt::format("entry point without `=`: `{}`", line), std::string(source));
  }
  EntryPoint out;
  out.name = trim(line.substr(0, equals));
  std::string_view reference = trim(line.substr(equals + 1));
  // Extras after the reference are deprecated and mean nothing to an installer.
  if (const size_t bracket = reference.find('['); bracket != std::string_view::npos) {
    reference = trim(reference.substr(0, bracket));
  }
  const size_t colon = reference.find(':');
  out.module = trim(reference.substr(0, colon));
  out.object = colon == std::string_view::npos ? "" : trim(reference.substr(colon + 1));
  if (!is_dotted_name(out.module) || !is_dotted_name(out.object)) {
    throw Error(ErrorKind::bad_input, fmt::format("script `{}` does not name a function: `{}`", out.name, reference),
                std::string(source));
  }
  check_script_name(out.name, source);
  return out;
}

}  // namespace

std::vector<EntryPoint> script_entry_points(std::string_view text, std::string_view source) {
  std::vector<EntryPoint> out;
  bool wanted = false;
  for (const std::string& raw : split_lines(text)) {
    const std::string_view line = trim(raw);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line[0] == '[') {
      const std::string_view section = trim(line.substr(1, line.find(']') - 1));
      wanted = section == "console_scripts" || section == "gui_scripts";
    } else if (wanted) {
      out.push_back(parse_entry(line, source));
    }
  }
  return out;
}

bool is_interpreter_name(std::string_view file_name) {
  const std::string name = lower(file_name);
  if (!name.starts_with("python")) return false;
  const size_t rest = std::min(name.find_first_not_of("0123456789.", 6), name.size());
  return rest == name.size() || name.substr(rest) == "t" || name.substr(rest) == "w";
}

std::string shebang_for(const Path& python) {
  const std::string path = python.string();
  if (path.size() + 3 <= kShebangLimit && path.find_first_of(" \t") == std::string::npos) return "#!" + path + "\n";
  // Read by sh the second line starts the interpreter and never returns; read by Python lines two and three are a
  // string.
  std::string escaped;
  for (const char c : path) {
    if (c == '"' || c == '$' || c == '`' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return "#!/bin/sh\n'''exec' \"" + escaped + "\" \"$0\" \"$@\"\n' '''\n";
}

std::string script_for(const EntryPoint& entry, const Path& python) {
  // The name that is imported is the first part; the rest are attributes of it.
  const std::string first = entry.object.substr(0, entry.object.find('.'));
  // Guarded, because `multiprocessing` imports the script again in its children.
  return fmt::format("{}import sys\nfrom {} import {}\n\nif __name__ == \"__main__\":\n    sys.exit({}())\n",
                     shebang_for(python), entry.module, first, entry.object);
}

bool has_python_shebang(std::string_view script) {
  return script.starts_with("#!python");
}

std::string with_shebang(std::string_view script, const Path& python) {
  const size_t end = script.find('\n');
  return shebang_for(python) + (end == std::string_view::npos ? "" : std::string(script.substr(end + 1)));
}

}  // namespace dae::resolver
