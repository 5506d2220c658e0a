#include "base/env.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"

extern char** environ;

namespace dae {
namespace {

// The XDG base directory specification: a relative path there is to be ignored.
Path standard_dir(const char* own, const char* xdg, const char* below_home) {
  if (auto path = env_var(own)) return *path;
  if (auto path = env_var(xdg); path && Path(*path).is_absolute()) return Path(*path) / "dae";
  return home_dir() / below_home / "dae";
}

}  // namespace

std::optional<std::string> env_var(const char* name) {
  const char* value = ::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

std::map<std::string, std::string> all_env_vars() {
  std::map<std::string, std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) out.try_emplace(std::string(text.substr(0, equals)), text.substr(equals + 1));
  }
  return out;
}

Path home_dir() {
  if (auto home = env_var("HOME")) return *home;
  passwd entry{};
  passwd* found = nullptr;
  std::string buffer(16 * 1024, '\0');
  if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return found->pw_dir;
  }
  throw Error(ErrorKind::not_found, "this account has no home directory", "", "set `HOME`");
}

Path cache_dir() {
  return standard_dir("DAE_CACHE_DIR", "XDG_CACHE_HOME", ".cache");
}
Path data_dir() {
  return standard_dir("DAE_DATA_DIR", "XDG_DATA_HOME", ".local/share");
}
Path config_dir() {
  return standard_dir("DAE_CONFIG_DIR", "XDG_CONFIG_HOME", ".config");
}

}  // namespace dae
