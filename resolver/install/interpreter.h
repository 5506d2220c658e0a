#pragma once
// Python interpreters: found, probed once, remembered by (path, mtime, size).
#include <string>
#include <vector>

#include "base/process.h"
#include "resolver/standards/specifier.h"
#include "resolver/standards/tags.h"

namespace dae::resolver {

struct Interpreter {
  Path executable;       // as found (may be a link)
  Path real_executable;  // sys._base_executable resolved: what a venv points to
  std::string version;   // "3.11.7"
  std::string platform;  // "linux_x86_64"
  std::string libc;      // "glibc 2.36", "musl 1.2"
  std::string cache_tag; // "cpython-311"
  std::string soabi;
  Target target() const;
};

// Runs it with -I; throws Error bad_input when it is no usable CPython >= 3.8.
Interpreter probe_interpreter(ProcessRunner& runner, const Path& executable);
// `wanted`: a path, "3.11", or "" (then `specifiers` decides; pythonX.Y and python3 from PATH, newest first that fits).
// Throws not_found listing what was seen.
Interpreter find_interpreter(ProcessRunner& runner, const std::string& wanted, const SpecifierSet& specifiers);

}  // namespace dae::resolver
