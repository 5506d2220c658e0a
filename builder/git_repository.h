#pragma once
// What a build wants to know of a git work tree. libgit2 stays behind this file.
// Not thread-safe; open one per thread.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"

namespace dae::builder {

struct GitTag {
  std::string name;    // "v1.4.0"
  std::string commit;  // 40 hex digits
  bool annotated = false;
};

class GitRepository {
 public:
  // The work tree that holds `dir`; nullopt when there is none. A bare repository counts as none.
  static std::optional<GitRepository> find(const Path& dir);
  ~GitRepository();
  GitRepository(GitRepository&&) noexcept;
  GitRepository& operator=(GitRepository&&) = delete;

  const Path& root() const { return root_; }  // absolute
  std::string head() const;                   // commit id, or "" before the first commit
  int64_t commit_time_s(const std::string& commit) const;
  bool is_shallow() const;
  std::vector<GitTag> tags() const;  // those that lead to a commit, sorted by name
  // Newest first by commit time, from `start`, until `visit` gives false. False when history ends for lack of objects
  // (a shallow clone) and not at a first commit.
  bool walk(const std::string& start, const std::function<bool(const std::string& commit)>& visit) const;
  // Commits reachable from `head` and not from `base` ("" for none); nullopt when objects are missing.
  std::optional<int64_t> count_commits(const std::string& head, const std::string& base) const;

  // Paths below `subdir` (of the root, "" for all), relative to it, sorted.
  std::vector<std::string> tracked_files(const std::string& subdir) const;  // index; submodules are refused
  struct Change {
    std::string path;
    bool untracked = false;
  };
  // Differences of work tree or index from HEAD, untracked files included, ignored ones not.
  std::vector<Change> changes(const std::string& subdir) const;

 private:
  struct State;
  explicit GitRepository(std::unique_ptr<State> state, Path root);
  std::unique_ptr<State> state_;
  Path root_;
};

}  // namespace dae::builder
