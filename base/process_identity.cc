#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/process_internal.h"
#include "base/strings.h"

namespace dae {
namespace {

// Field numbers of proc(5), /proc/<pid>/stat, counted from the state (3), the first behind the name.
constexpr size_t kStateField = 3, kStartTimeField = 22;

// The name in field 2 may hold blanks and parentheses, so fields are counted from the last ')'.
std::vector<std::string> stat_fields(pid_t pid) {
  std::optional<std::string> text;
  try {
    text = read_file_if_exists("/proc/" + std::to_string(pid) + "/stat", 64 * 1024);
  } catch (const Error&) {
    return {};  // ESRCH: it ended between open and read
  }
  const size_t name_end = text ? text->rfind(')') : std::string::npos;
  if (name_end == std::string::npos || name_end + 2 >= text->size()) return {};
  return split(trim(std::string_view(*text).substr(name_end + 2)), ' ');
}

std::optional<ProcessIdentity> identify(pid_t pid, bool even_ended) {
  if (pid <= 0) return std::nullopt;
  const auto fields = stat_fields(pid);
  if (fields.size() <= kStartTimeField - kStateField) return std::nullopt;
  const bool ended = fields[0] == "Z" || fields[0] == "X" || fields[0] == "x";
  if (ended && !even_ended) return std::nullopt;
  const auto ticks = parse_int(fields[kStartTimeField - kStateField]);
  if (!ticks) return std::nullopt;
  return ProcessIdentity{pid, static_cast<uint64_t>(*ticks), boot_id()};
}

bool is_program(const Path& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

const std::string& boot_id() {
  static const std::string id(trim(read_file("/proc/sys/kernel/random/boot_id", 4096)));
  return id;
}

std::optional<ProcessIdentity> identify_process(pid_t pid) {
  return identify(pid, false);
}
std::optional<ProcessIdentity> identify_even_ended(pid_t pid) {
  return identify(pid, true);
}

std::optional<Path> find_program(const std::string& name, const std::string& path_variable) {
  if (name.find('/') != std::string::npos) return is_program(name) ? std::optional<Path>(name) : std::nullopt;
  const std::string path =
      path_variable.empty() ? env_var("PATH").value_or("/usr/local/bin:/usr/bin:/bin") : path_variable;
  for (const std::string& dir : split(path, ':')) {
    // POSIX lets an empty element mean the current directory; nobody wants that here.
    if (!dir.empty() && !name.empty() && is_program(Path(dir) / name)) return Path(dir) / name;
  }
  return std::nullopt;
}

}  // namespace dae
