#pragma once
// Where things stand in an environment on POSIX: the `venv` installation scheme of sysconfig.
#include <string>

#include "base/fs.h"
#include "resolver/install/interpreter.h"

namespace dae::resolver {

// Throws Error refused for places that PATH or pyvenv.cfg could not name.
void require_place(const Path& root);

struct EnvLayout {
  EnvLayout(const Path& env, const Interpreter& python)
      : EnvLayout(env, python.python_version(), python.site_packages) {
    require_place(root);
  }
  // `site`: relative to the root; empty: where a build without extras has it.
  EnvLayout(const Path& env, std::string version, std::string site)
      : root(std::filesystem::absolute(env).lexically_normal()), python_version(std::move(version)) {
    if (root.filename().empty()) root = root.parent_path();
    site_ = site.empty() ? "lib/python" + python_version + "/site-packages" : std::move(site);
  }
  Path root;
  std::string python_version;  // "3.11"

  // Relative to `root`.
  const std::string& site_packages() const { return site_; }
  std::string headers(const std::string& distribution) const {
    return "include/site/python" + python_version + "/" + distribution;
  }
  Path python() const { return root / "bin/python"; }
  Path lock_file() const { return root / ".dae-lock"; }

 private:
  std::string site_;  // "lib/python3.11/site-packages"
};

}  // namespace dae::resolver
