#include "resolver/source/source_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

constexpr int kMaxLinkSteps = 40;  // as the kernel's
constexpr uint64_t kMaxHashedBytes = 1ull << 30;
constexpr size_t kMaxHashedFiles = 50'000;

using Links = std::map<std::string, std::string>;  // relative path -> target

// Follows `path` from the root as the kernel would, knowing every link of the tree. False when it goes above.
bool stays_inside(const std::string& folder, const std::string& target, const Links& links) {
  std::vector<std::string> at = folder.empty() ? std::vector<std::string>{} : split(folder, '/');
  std::vector<std::string> todo = split(target, '/');
  std::ranges::reverse(todo);
  for (int steps = 0; !todo.empty();) {
    const std::string part = std::move(todo.back());
    todo.pop_back();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (at.empty()) return false;
      at.pop_back();
      continue;
    }
    at.push_back(part);
    const auto link = links.find(join(at, "/"));
    if (link == links.end()) continue;
    if (++steps > kMaxLinkSteps) return true;  // a circle leads nowhere
    if (link->second.starts_with('/')) return false;
    at.pop_back();
    const std::vector<std::string> next = split(link->second, '/');
    todo.insert(todo.end(), next.rbegin(), next.rend());
  }
  return true;
}

// What is not source: made by tools, and changing while they run.
bool is_leftover(const WalkEntry& entry) {
  static const std::set<std::string, std::less<>> kFolders{".git",          ".hg",         ".svn",        "__pycache__",
                                                           ".tox",          ".nox",        ".mypy_cache", ".ruff_cache",
                                                           ".pytest_cache", "node_modules"};
  const std::string name = entry.path.filename().string();
  if (!entry.info.is_dir()) return name.ends_with(".pyc");
  if (kFolders.contains(name) || name.ends_with(".egg-info") || exists(entry.path / "pyvenv.cfg")) return true;
  const bool output = entry.relative == "build" || entry.relative == "dist";
  return output && !exists(entry.path / "__init__.py");
}

// Versions are often made from the commit.
std::string checked_out(const Path& root) {
  const auto head = read_file_if_exists(root / ".git/HEAD", 4096);
  if (!head) return "";
  const std::string_view text = trim(*head);
  if (!text.starts_with("ref: refs/") || text.find("..") != std::string_view::npos) return std::string(text);
  return std::string(text) + " " + read_file_if_exists(root / ".git" / text.substr(5), 4096).value_or("");
}

}  // namespace

void check_links_stay_inside(const Path& root, const std::string& label) {
  Links links;
  for (const WalkEntry& entry : walk_tree(root)) {
    if (!entry.info.is_symlink()) continue;
    links.emplace(entry.relative, read_link(entry.path).value_or(""));
  }
  for (const auto& [name, target] : links) {
    const size_t slash = name.rfind('/');
    const std::string folder = slash == std::string::npos ? "" : name.substr(0, slash);
    if (!target.starts_with('/') && stays_inside(folder, target, links)) continue;
    throw Error(ErrorKind::refused, fmt::format("the link `{}` leads out of the tree (`{}`)", name, target), label);
  }
}

std::optional<Digest> tree_digest(const Path& root) {
  Sha256 sum;
  sum.update("dae-tree-1\n" + checked_out(root) + "\n");
  uint64_t total_bytes = 0;
  size_t files = 0;
  const auto entries = walk_tree(root, [&](const WalkEntry& entry) {
    ++files;
    return files <= kMaxHashedFiles && !is_leftover(entry);
  });
  if (files > kMaxHashedFiles) return std::nullopt;
  for (const WalkEntry& entry : entries) {
    if (is_leftover(entry) || entry.info.is_dir()) continue;
    std::string line = entry.relative + '\0';
    if (entry.info.is_symlink()) {
      line += "-> " + read_link(entry.path).value_or("");
    } else if (entry.info.is_file()) {
      total_bytes += entry.info.size_bytes;
      if (total_bytes > kMaxHashedBytes) return std::nullopt;
      line += ((entry.info.mode & 0100) != 0 ? "x " : "- ") + sha256_file(entry.path).hex();
    }
    sum.update(line + "\n");
  }
  return sum.finish();
}

void check_is_project(const Path& project, const std::string& label) {
  const auto info = file_info(project);
  if (!exists(project)) throw Error(ErrorKind::not_found, "there is nothing at this path", label);
  if (info && info->is_file()) throw Error(ErrorKind::bad_input, "neither a folder nor an archive or wheel", label);
  if (exists(project / "pyproject.toml") || exists(project / "setup.py") || exists(project / "setup.cfg")) return;
  throw Error(ErrorKind::bad_input, "no Python project is there", label,
              "a project has a `pyproject.toml` or a `setup.py`; `#subdirectory=` names the folder that has it");
}

}  // namespace dae::resolver
