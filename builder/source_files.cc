#include "builder/source_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "builder/git_repository.h"

namespace dae::builder {

namespace {

constexpr size_t kMostFiles = 200'000;  // what base/archive.h reads back

// Made by tools on every machine in another way; an environment or a cache in an artifact is always a mistake.
bool is_never_source(std::string_view component) {
  static const std::set<std::string_view> kNames = {".git",        ".hg",           ".svn",        ".venv",
                                                    "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache",
                                                    ".tox",        ".nox",          ".DS_Store"};
  return kNames.contains(component) || component.ends_with(".pyc");
}

// "secrets/" and "secrets" both mean everything below, as in ignore files.
bool matches(std::string_view pattern, std::string_view path) {
  if (pattern.ends_with('/')) pattern.remove_suffix(1);
  return glob_match(pattern, path) || glob_match(std::string(pattern) + "/**", path);
}

void require_not_too_many(const AppFile& app, size_t count) {
  if (count <= kMostFiles) return;
  throw Error(ErrorKind::bad_input, fmt::format("the app has more than {} files", kMostFiles), app.dir.string(),
              "leave some out with `build.exclude`");
}

}  // namespace

bool is_source_file(const AppFile& app, std::string_view path) {
  const auto parts = split(path, '/');
  if (std::any_of(parts.begin(), parts.end(), is_never_source)) return false;
  const auto hit = [&](const std::string& pattern) { return matches(pattern, path); };
  return std::none_of(app.exclude.begin(), app.exclude.end(), hit) &&
         std::none_of(app.protected_files.begin(), app.protected_files.end(), hit);
}

std::vector<std::string> walk_source(const AppFile& app, const Path& root) {
  std::vector<std::string> out;
  walk_tree(root, [&](const WalkEntry& entry) {
    if (entry.info.is_dir()) return !is_never_source(entry.path.filename().string());
    if (is_source_file(app, entry.relative)) out.push_back(entry.relative);
    return true;
  });
  std::sort(out.begin(), out.end());
  require_not_too_many(app, out.size());
  return out;
}

std::string app_subdir(const GitRepository& repository, const AppFile& app) {
  // libgit2 gives the root without links in it.
  const Path below =
      std::filesystem::canonical(app.dir).lexically_relative(std::filesystem::canonical(repository.root()));
  return below == "." ? "" : below.generic_string();
}

std::vector<std::string> source_files(const AppFile& app) {
  const auto repository = GitRepository::find(app.dir);
  if (!repository) return walk_source(app, app.dir);
  const std::string subdir = app_subdir(*repository, app);
  std::set<std::string> all;
  for (const std::string& path : repository->tracked_files(subdir)) all.insert(path);
  for (const auto& change : repository->changes(subdir)) {
    if (change.untracked) all.insert(change.path);
  }
  std::vector<std::string> out;
  for (const std::string& path : all) {
    const auto info = is_source_file(app, path) ? file_info(app.dir / path) : std::nullopt;
    if (info && !info->is_dir()) out.push_back(path);
  }
  require_not_too_many(app, out.size());
  return out;
}

Digest source_digest(const Path& root, const std::vector<std::string>& files) {
  Sha256 sum;
  for (const std::string& name : files) {
    const Path path = root / name;
    const auto info = file_info(path);
    if (!info) throw Error(ErrorKind::not_found, "no such file", path.string());
    const std::string content = info->is_symlink() ? "link " + read_link(path).value_or("") : sha256_file(path).hex();
    const char* kind = info->is_symlink() ? "l" : (info->mode & 0100) != 0 ? "x" : "f";
    // A name cannot hold NUL, so no two trees give the same stream.
    sum.update(fmt::format("{}\n", kind));
    sum.update(name);
    sum.update(std::string_view("\0", 1));
    sum.update(content);
    sum.update("\n");
  }
  return sum.finish();
}

}  // namespace dae::builder
