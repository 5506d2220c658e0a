#include "resolver/install/venv.h"

#include <fmt/format.h>

#include "base/error.h"
#include "resolver/install/venv_scripts.h"

namespace dae::resolver {
namespace {

void renew_file(const Path& path, const std::string& text) {
  if (read_file_if_exists(path) != text) write_file_atomic(path, text, 0644, Durability::none);
}

void renew_link(const Path& link, const std::string& target) {
  if (read_link(link) != target) symlink_atomic(target, link);
}

// Where `venv` makes the link, too: 64-bit builds.
bool has_lib64(const std::string& platform) {
  return platform.ends_with("64") || platform.ends_with("64le") || platform.ends_with("s390x");
}

// An interpreter's own prefix is its packager's (PEP 668) whether or not it says so.
void refuse_prefix(const EnvLayout& layout, const Interpreter& python) {
  std::error_code error;
  if (python.base_prefix.empty() || !std::filesystem::equivalent(layout.root, python.base_prefix, error)) return;
  throw Error(ErrorKind::refused, "this is where the interpreter itself stands, no place for an environment",
              layout.root.string(), "choose a folder of its own");
}

}  // namespace

void require_place(const Path& root) {
  if (root.string().find_first_of(":\n\r") == std::string::npos) return;
  throw Error(ErrorKind::refused, "no environment can stand below a folder with a colon or a line end in its name",
              root.string(), "PATH and pyvenv.cfg cannot name it; rename the folder");
}

bool is_part_of_venv(const EnvLayout& layout, std::string_view target) {
  if (target.starts_with("bin/activate") || target.starts_with("bin/Activate")) return true;
  const std::string python = "bin/python" + layout.python_version;
  for (const std::string_view own :
       {"bin/python", "bin/python3", python.c_str(), "lib64", "pyvenv.cfg", ".gitignore", "dae-env.json", ".dae-lock"})
    if (target == own) return true;
  return target == python + "t";
}

void make_venv(const EnvLayout& layout, const Interpreter& python) {
  require_place(layout.root);
  refuse_prefix(layout, python);
  make_dirs(layout.root / "bin");
  make_dirs(layout.root / "include");
  make_dirs(layout.root / layout.site_packages());
  // Some extensions and build tools ask for lib64 by name.
  if (has_lib64(python.platform)) renew_link(layout.root / "lib64", "lib");
  renew_link(layout.python(), python.real_executable.string());
  renew_link(layout.root / "bin/python3", "python");
  renew_link(layout.root / ("bin/python" + layout.python_version), "python");
  if (python.free_threaded) renew_link(layout.root / ("bin/python" + layout.python_version + "t"), "python");
  renew_file(layout.root / "bin/activate", activate_sh(layout.root));
  renew_file(layout.root / "bin/activate.fish", activate_fish(layout.root));
  renew_file(layout.root / "bin/activate.csh", activate_csh(layout.root));
  renew_file(layout.root / "bin/Activate.ps1", activate_ps1(layout.root));
  renew_file(layout.root / "bin/activate_this.py", activate_this_py(layout.site_packages()));
  // Nothing in it is for a repository. Whoever thinks otherwise may say so in it.
  if (!exists(layout.root / ".gitignore")) renew_file(layout.root / ".gitignore", "*\n");
  // Last: an interpreter takes the directory for an environment as soon as this file is there.
  renew_file(
      layout.root / "pyvenv.cfg",
      fmt::format("home = {}\ninclude-system-site-packages = false\nversion = {}\nexecutable = {}\nprompt = {}\n",
                  python.real_executable.parent_path().string(), python.version, python.real_executable.string(),
                  prompt_name(layout.root)));
}

}  // namespace dae::resolver
