#include "builder/git_repository.h"

#include <fmt/format.h>
#include <git2.h>

#include <algorithm>
#include <queue>
#include <set>

#include "base/error.h"

namespace dae::builder {

namespace {

// libgit2 counts its users; the last shutdown frees everything.
class Library {
 public:
  Library() {
    git_libgit2_init();
    // Since 1.5 a repository of another account is refused, as git does. git guards against configuration that runs
    // programs; libgit2 runs none, and CI builds trees that another account has checked out.
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
  }
  ~Library() { git_libgit2_shutdown(); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
};

template <typename T, void (*Free)(T*)>
struct Freeing {
  void operator()(T* object) const { Free(object); }
};
using Repository = std::unique_ptr<git_repository, Freeing<git_repository, git_repository_free>>;
using Commit = std::unique_ptr<git_commit, Freeing<git_commit, git_commit_free>>;
using Index = std::unique_ptr<git_index, Freeing<git_index, git_index_free>>;
using Status = std::unique_ptr<git_status_list, Freeing<git_status_list, git_status_list_free>>;
using Object = std::unique_ptr<git_object, Freeing<git_object, git_object_free>>;

std::string hex(const git_oid& id) {
  char text[GIT_OID_HEXSZ + 1];
  git_oid_tostr(text, sizeof text, &id);
  return text;
}

git_oid oid_of(const std::string& text) {
  git_oid id;
  if (git_oid_fromstr(&id, text.c_str()) != 0) throw Error(ErrorKind::bad_input, "no commit id", text);
  return id;
}

[[noreturn]] void git_failed(const std::string& message, const Path& root) {
  const git_error* last = git_error_last();
  Error error(ErrorKind::failed, message, root.string());
  if (last && last->message) error.because(last->message);
  throw error;
}

// "sub/file" below "sub" -> "file"; nullopt when it is not below.
std::optional<std::string> below(const std::string& path, const std::string& subdir) {
  if (subdir.empty()) return path;
  if (path.size() <= subdir.size() + 1 || !path.starts_with(subdir) || path[subdir.size()] != '/') return std::nullopt;
  return path.substr(subdir.size() + 1);
}

}  // namespace

struct GitRepository::State {
  Library library;  // before the repository, so that it goes after it
  Repository repository;

  Commit commit(const git_oid& id) const {
    git_commit* found = nullptr;
    if (git_commit_lookup(&found, repository.get(), &id) != 0) return nullptr;
    return Commit(found);
  }
};

GitRepository::GitRepository(std::unique_ptr<State> state, Path root)
    : state_(std::move(state)), root_(std::move(root)) {}
GitRepository::~GitRepository() = default;
GitRepository::GitRepository(GitRepository&&) noexcept = default;

std::optional<GitRepository> GitRepository::find(const Path& dir) {
  auto state = std::make_unique<State>();
  git_repository* found = nullptr;
  const int status = git_repository_open_ext(&found, dir.c_str(), 0, nullptr);
  if (status == GIT_ENOTFOUND) return std::nullopt;
  if (status != 0) git_failed("cannot open the git repository", dir);
  state->repository.reset(found);
  const char* root = git_repository_workdir(found);
  if (!root) return std::nullopt;
  Path path(root);
  if (!path.has_filename()) path = path.parent_path();  // libgit2 ends it with a slash
  return GitRepository(std::move(state), std::move(path));
}

std::string GitRepository::head() const {
  git_oid id;
  const int status = git_reference_name_to_id(&id, state_->repository.get(), "HEAD");
  if (status == GIT_ENOTFOUND || status == GIT_EUNBORNBRANCH) return "";
  if (status != 0) git_failed("cannot read HEAD", root_);
  return hex(id);
}

int64_t GitRepository::commit_time_s(const std::string& commit) const {
  const Commit found = state_->commit(oid_of(commit));
  if (!found) git_failed("cannot read the commit", root_);
  return git_commit_time(found.get());
}

bool GitRepository::is_shallow() const {
  return git_repository_is_shallow(state_->repository.get()) == 1;
}

std::vector<GitTag> GitRepository::tags() const {
  struct Found {
    const State* state;
    std::vector<GitTag> tags;
  } found{state_.get(), {}};
  const auto visit = [](const char* name, git_oid* id, void* payload) -> int {
    auto& out = *static_cast<Found*>(payload);
    git_object* raw = nullptr;
    if (git_object_lookup(&raw, out.state->repository.get(), id, GIT_OBJECT_ANY) != 0) return 0;
    const Object object(raw);
    const bool annotated = git_object_type(raw) == GIT_OBJECT_TAG;
    git_object* peeled = nullptr;
    if (git_object_peel(&peeled, raw, GIT_OBJECT_COMMIT) != 0) return 0;
    const Object commit(peeled);
    constexpr std::string_view kPrefix = "refs/tags/";
    out.tags.push_back({std::string(name).substr(kPrefix.size()), hex(*git_object_id(peeled)), annotated});
    return 0;
  };
  if (git_tag_foreach(state_->repository.get(), visit, &found) != 0) git_failed("cannot list tags", root_);
  std::sort(found.tags.begin(), found.tags.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return std::move(found.tags);
}

// Not git_revwalk: before libgit2 1.7 it fails at the edge of a shallow clone without telling where it was.
bool GitRepository::walk(const std::string& start, const std::function<bool(const std::string&)>& visit) const {
  std::priority_queue<std::pair<int64_t, std::string>> waiting;  // time, then id: the same order everywhere
  std::set<std::string> seen{start};
  bool complete = true;
  waiting.emplace(commit_time_s(start), start);
  while (!waiting.empty()) {
    const std::string id = waiting.top().second;
    waiting.pop();
    if (!visit(id)) return true;
    const Commit commit = state_->commit(oid_of(id));
    if (!commit) git_failed("cannot read the commit", root_);
    for (unsigned i = 0; i < git_commit_parentcount(commit.get()); ++i) {
      const git_oid* parent_id = git_commit_parent_id(commit.get(), i);
      if (!seen.insert(hex(*parent_id)).second) continue;
      const Commit parent = state_->commit(*parent_id);
      if (parent) {
        waiting.emplace(git_commit_time(parent.get()), hex(*parent_id));
      } else {
        complete = false;
      }
    }
  }
  return complete;
}

std::optional<int64_t> GitRepository::count_commits(const std::string& head, const std::string& base) const {
  if (head == base) return 0;
  if (base.empty()) {
    int64_t count = 0;
    const bool complete = walk(head, [&](const std::string&) { return ++count > 0; });
    return complete ? std::optional(count) : std::nullopt;
  }
  size_t ahead = 0, behind = 0;
  const git_oid from = oid_of(head), to = oid_of(base);
  if (git_graph_ahead_behind(&ahead, &behind, state_->repository.get(), &from, &to) != 0) return std::nullopt;
  return static_cast<int64_t>(ahead);
}

std::vector<std::string> GitRepository::tracked_files(const std::string& subdir) const {
  git_index* raw = nullptr;
  if (git_repository_index(&raw, state_->repository.get()) != 0) git_failed("cannot read the index", root_);
  const Index index(raw);
  std::vector<std::string> out;
  for (size_t i = 0; i < git_index_entrycount(raw); ++i) {
    const git_index_entry* entry = git_index_get_byindex(raw, i);
    const auto path = below(entry->path, subdir);
    if (!path) continue;
    if (entry->mode == GIT_FILEMODE_COMMIT) {
      throw Error(ErrorKind::bad_input, fmt::format("`{}` is a git submodule, which is not supported yet", *path),
                  root_.string(), "list it in `build.exclude`, or make it a dependency");
    }
    // A conflict has up to three entries of one name.
    if (out.empty() || out.back() != *path) out.push_back(*path);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<GitRepository::Change> GitRepository::changes(const std::string& subdir) const {
  git_status_options options;
  git_status_options_init(&options, GIT_STATUS_OPTIONS_VERSION);
  options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR;
  options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_RECURSE_UNTRACKED_DIRS |
                  GIT_STATUS_OPT_EXCLUDE_SUBMODULES | GIT_STATUS_OPT_DISABLE_PATHSPEC_MATCH;
  std::string spec = subdir;
  char* specs[] = {spec.data()};
  if (!subdir.empty()) options.pathspec = {specs, 1};
  git_status_list* raw = nullptr;
  if (git_status_list_new(&raw, state_->repository.get(), &options) != 0) git_failed("cannot read the status", root_);
  const Status list(raw);
  std::vector<Change> out;
  for (size_t i = 0; i < git_status_list_entrycount(raw); ++i) {
    const git_status_entry* entry = git_status_byindex(raw, i);
    const git_diff_delta* delta = entry->index_to_workdir ? entry->index_to_workdir : entry->head_to_index;
    if (!delta || (entry->status & GIT_STATUS_IGNORED) != 0) continue;
    const char* name = delta->new_file.path ? delta->new_file.path : delta->old_file.path;
    if (const auto path = below(name, subdir)) out.push_back({*path, (entry->status & GIT_STATUS_WT_NEW) != 0});
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return out;
}

}  // namespace dae::builder
