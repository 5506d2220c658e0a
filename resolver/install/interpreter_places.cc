#include "resolver/install/interpreter_places.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/process.h"
#include "base/strings.h"
#include "resolver/standards/version.h"

namespace dae::resolver {
namespace {

std::vector<std::string> path_dirs() {
  std::vector<std::string> out = split(env_var("PATH").value_or("/usr/local/bin:/usr/bin:/bin"), ':');
  std::erase(out, "");
  return out;
}

// "python3.12" and "python3.13t" -> 12, 13
std::optional<int64_t> minor_of(std::string_view name) {
  constexpr std::string_view kPrefix = "python3.";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  if (name.ends_with('t')) name.remove_suffix(1);
  return parse_int(name);
}

// "3.11.7", "3.13.2t", "cpython-3.11.7-linux-x86_64-gnu", "cpython-3.13.2+freethreaded-linux-…", "cpython@3.11.7"
std::optional<Version> version_in(std::string name) {
  for (const std::string_view prefix : {"cpython-", "cpython@"}) {
    if (name.starts_with(prefix)) name.erase(0, prefix.size());
  }
  name = name.substr(0, name.find_first_of("-+"));
  if (name.ends_with('t')) name.pop_back();
  return Version::try_parse(name);
}

// A directory of PATH that is none, or that is not ours to read, has nothing for us.
std::vector<std::string> names_in(const Path& dir) {
  try {
    return list_dir(dir);
  } catch (const Error&) {
    return {};
  }
}

Path from_variable(const char* name, const Path& otherwise) {
  return env_var(name).value_or(otherwise.string());
}

// Folders with a folder for each version.
std::vector<Path> version_folders() {
  std::vector<Path> out;
  for (const std::string& dir : path_dirs()) {
    if (Path(dir).filename() != "shims") continue;
    for (const char* folder : {"versions", "installs/python"}) out.push_back(Path(dir).parent_path() / folder);
  }
  const Path home = home_dir(), data = from_variable("XDG_DATA_HOME", home / ".local/share");
  out.push_back(from_variable("PYENV_ROOT", home / ".pyenv") / "versions");
  out.push_back(from_variable("MISE_DATA_DIR", data / "mise") / "installs/python");
  out.push_back(from_variable("ASDF_DATA_DIR", home / ".asdf") / "installs/python");
  out.push_back(from_variable("UV_PYTHON_INSTALL_DIR", data / "uv/python"));
  out.push_back(from_variable("RYE_HOME", home / ".rye") / "py");
  return out;
}

std::vector<Path> newest_first(std::vector<std::pair<Version, Path>> found) {
  std::ranges::stable_sort(found, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Path> out;
  for (auto& [version, path] : found) out.push_back(std::move(path));
  return out;
}

}  // namespace

std::vector<Path> pythons_in_path(const std::string& name) {
  std::vector<Path> out;
  for (const std::string& dir : path_dirs()) {
    if (const auto found = find_program(name, dir)) out.push_back(*found);
  }
  return out;
}

std::vector<Path> versioned_pythons_in_path() {
  std::vector<std::pair<Version, Path>> found;
  for (const std::string& dir : path_dirs()) {
    for (const std::string& name : names_in(dir)) {
      if (const auto minor = minor_of(name))
        found.emplace_back(Version::parse("3." + std::to_string(*minor)), Path(dir) / name);
    }
  }
  return newest_first(std::move(found));
}

std::vector<Path> managed_pythons() {
  std::vector<std::pair<Version, Path>> found;
  std::set<Path> seen;
  for (const Path& folder : version_folders()) {
    if (!seen.insert(folder.lexically_normal()).second) continue;
    for (const std::string& name : names_in(folder)) {
      const auto version = version_in(name);
      const Path python = folder / name / "bin/python3";
      if (version && exists(python)) found.emplace_back(*version, python);
    }
  }
  return newest_first(std::move(found));
}

}  // namespace dae::resolver
