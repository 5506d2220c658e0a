#pragma once
// Python interpreters: found, probed once, remembered by (path, mtime, size).
#include <string>
#include <vector>

#include "base/process.h"
#include "resolver/standards/specifier.h"
#include "resolver/standards/tags.h"

namespace dae::resolver {

struct Interpreter {
  Path executable;        // as found (may be a link); for a launcher script (pyenv's shims) what it ran
  Path real_executable;   // sys._base_executable resolved: what a venv points to
  std::string version;    // "3.11.7"
  std::string platform;   // "linux_x86_64"
  std::string libc;       // "glibc 2.36", "musl 1.2"
  std::string cache_tag;  // "cpython-311"
  std::string soabi;
  bool free_threaded = false;
  // In an environment, by its sysconfig's scheme for them: "lib/python3.11/site-packages", "lib/python3.13t/…".
  std::string site_packages;
  std::string base_prefix;             // where its standard library stands
  bool externally_managed = false;     // PEP 668; concerns installing into base_prefix, which never happens
  std::string python_version() const;  // "3.11"
  Target target() const;
};

// Runs it with -I; throws Error bad_input when it is no usable CPython >= 3.8. Remembered in
// cache_dir()/interpreters.json; a launcher script also by what steers it (PYENV_VERSION, .python-version …).
Interpreter probe_interpreter(ProcessRunner& runner, const Path& executable);
// `wanted`: a path (of an interpreter, or of a prefix that has one), a version as in interpreter_wish.h, or "" (then
// `specifiers` decides: the active `python3` when it fits, else the newest pythonX.Y in PATH that does, else the newest
// that a version manager keeps). Throws not_found listing what was seen and why each does not fit.
Interpreter find_interpreter(ProcessRunner& runner, const std::string& wanted, const SpecifierSet& specifiers);

}  // namespace dae::resolver
