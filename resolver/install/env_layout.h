#pragma once
// Where things stand in an environment on POSIX: the `venv` installation scheme of sysconfig.
#include <string>

#include "base/fs.h"
#include "resolver/install/interpreter.h"

namespace dae::resolver {

struct EnvLayout {
  EnvLayout(const Path& env, const Interpreter& python)
      : root(std::filesystem::absolute(env).lexically_normal()), python_version(python.python_version()) {
    if (root.filename().empty()) root = root.parent_path();
  }
  Path root;
  std::string python_version;  // "3.11"

  // Relative to `root`.
  std::string site_packages() const { return "lib/python" + python_version + "/site-packages"; }
  std::string headers(const std::string& distribution) const {
    return "include/site/python" + python_version + "/" + distribution;
  }
  Path python() const { return root / "bin/python"; }
  Path lock_file() const { return root / ".dae-lock"; }
};

}  // namespace dae::resolver
