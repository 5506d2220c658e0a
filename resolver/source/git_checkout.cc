#include <fmt/format.h>
#include <git2.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/source/git_state.h"
#include "resolver/source/gitmodules.h"

namespace dae::resolver::git {
namespace {

using Commit = Handle<git_commit, git_commit_free>;
using Tree = Handle<git_tree, git_tree_free>;
using Odb = Handle<git_odb, git_odb_free>;
using Object = Handle<git_object, git_object_free>;

constexpr size_t kMaxEntries = 500'000;
constexpr uint64_t kMaxTreeBytes = 8ull << 30;
constexpr size_t kMaxDepth = 200;
constexpr uint64_t kMaxSmallFileBytes = 1 << 20;

// Walks before anything is written: few packed bytes can stand for an endless tree.
struct Survey {
  git_odb* odb = nullptr;
  size_t entries = 0;
  uint64_t total_bytes = 0;
  bool too_large = false;
  std::vector<Submodule> submodules;

  static int visit(const char* root, const git_tree_entry* entry, void* payload) noexcept {
    auto& self = *static_cast<Survey*>(payload);
    const std::string_view folder(root);
    if (++self.entries > kMaxEntries || std::ranges::count(folder, '/') > static_cast<long>(kMaxDepth)) {
      self.too_large = true;
      return -1;
    }
    const git_filemode_t mode = git_tree_entry_filemode(entry);
    if (mode == GIT_FILEMODE_COMMIT) {
      self.submodules.push_back({std::string(folder) + git_tree_entry_name(entry), "", hex(*git_tree_entry_id(entry))});
    } else if (mode != GIT_FILEMODE_TREE) {
      size_t size_bytes = 0;
      git_object_t type = GIT_OBJECT_INVALID;
      if (git_odb_read_header(&size_bytes, &type, self.odb, git_tree_entry_id(entry)) != 0) return -1;
      self.total_bytes += size_bytes;
      self.too_large = self.total_bytes > kMaxTreeBytes;
      if (self.too_large) return -1;
    }
    return 0;
  }
};

Survey survey(git_repository* repository, git_tree* tree, const std::string& label) {
  Survey out;
  git_odb* raw = nullptr;
  if (git_repository_odb(&raw, repository) != 0) git_failed("cannot read the repository", label);
  const Odb odb(raw);
  out.odb = raw;
  const int status = git_tree_walk(tree, GIT_TREEWALK_PRE, Survey::visit, &out);
  if (out.too_large) {
    throw Error(ErrorKind::bad_input, "the tree is too large", label)
        .because(fmt::format("more than {} files and folders, or {} bytes", kMaxEntries, kMaxTreeBytes));
  }
  if (status != 0) git_failed("cannot read the tree", label);
  return out;
}

// Tags, so that `git describe` in the checkout answers as it would in a clone.
std::string packed_tags(git_repository* repository) {
  struct Found {
    git_repository* repository;
    std::vector<std::string> lines;
  } found{repository, {}};
  const auto visit = [](const char* name, git_oid* id, void* payload) noexcept -> int {
    auto& out = *static_cast<Found*>(payload);
    git_object* raw = nullptr;
    if (git_object_lookup(&raw, out.repository, id, GIT_OBJECT_ANY) != 0) return 0;
    const Object object(raw);
    std::string line = hex(*id) + " " + name + "\n";
    git_object* peeled = nullptr;
    if (git_object_type(raw) == GIT_OBJECT_TAG && git_object_peel(&peeled, raw, GIT_OBJECT_ANY) == 0) {
      const Object target(peeled);
      line += "^" + hex(*git_object_id(peeled)) + "\n";
    }
    out.lines.push_back(std::move(line));
    return 0;
  };
  git_tag_foreach(repository, visit, &found);
  // The order of names, which is what "sorted" promises.
  std::ranges::sort(found.lines, {}, [](const std::string& line) { return line.substr(41, line.find('\n') - 41); });
  return "# pack-refs with: peeled fully-peeled sorted \n" + join(found.lines, "");
}

Repository make_work_tree(const Path& into, const Path& objects, const std::string& tags, const std::string& label) {
  git_repository* raw = nullptr;
  {
    git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
    options.flags = GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_REINIT;
    if (git_repository_init_ext(&raw, into.c_str(), &options) != 0) git_failed("cannot make a checkout", label);
    const Repository made(raw);
  }
  const Path git = into / ".git";
  make_dirs(git / "objects/info");
  write_file_atomic(git / "objects/info/alternates", objects.string() + "\n", 0644, Durability::none);
  write_file_atomic(git / "packed-refs", tags, 0644, Durability::none);
  // The same files on every machine, whatever its user configured for work of his own.
  write_file_atomic(git / "config",
                    "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tautocrlf = false\n"
                    "\tsymlinks = true\n\teol = lf\n\thooksPath = /dev/null\n",
                    0644, Durability::none);
  if (git_repository_open(&raw, into.c_str()) != 0) git_failed("cannot open the checkout", label);
  return Repository(raw);
}

std::string small_file(const Path& path) {
  const auto info = file_info(path);
  if (!info || !info->is_file() || info->size_bytes > kMaxSmallFileBytes) return "";
  return read_file(path, kMaxSmallFileBytes);
}

}  // namespace

CheckoutResult Repo::checkout(const std::string& commit, const Path& into, const std::string& label) const {
  git_repository* repository = state_->repository.get();
  git_oid id;
  git_commit* raw_commit = nullptr;
  if (git_oid_fromstr(&id, commit.c_str()) != 0 || git_commit_lookup(&raw_commit, repository, &id) != 0) {
    git_failed(fmt::format("commit `{}` is not there", commit), label);
  }
  const Commit owned_commit(raw_commit);
  git_tree* raw_tree = nullptr;
  if (git_commit_tree(&raw_tree, raw_commit) != 0) git_failed("cannot read the commit", label);
  const Tree tree(raw_tree);
  Survey found = survey(repository, raw_tree, label);

  const Repository work =
      make_work_tree(into, std::filesystem::absolute(state_->dir / "objects"), packed_tags(repository), label);
  if (git_repository_set_head_detached(work.get(), &id) != 0) git_failed("cannot make a checkout", label);
  git_object* raw_target = nullptr;
  if (git_object_lookup(&raw_target, work.get(), &id, GIT_OBJECT_COMMIT) != 0)
    git_failed("cannot read the commit", label);
  const Object target(raw_target);
  git_checkout_options options = GIT_CHECKOUT_OPTIONS_INIT;
  options.checkout_strategy = GIT_CHECKOUT_FORCE;
  if (git_checkout_tree(work.get(), raw_target, &options) != 0) git_failed("the tree cannot be checked out", label);

  CheckoutResult out;
  const auto urls = parse_gitmodules(small_file(into / ".gitmodules"));
  for (Submodule& submodule : found.submodules) {
    if (const auto url = urls.find(submodule.path); url != urls.end()) submodule.url = url->second;
  }
  out.submodules = std::move(found.submodules);
  out.uses_lfs = small_file(into / ".gitattributes").find("filter=lfs") != std::string::npos;
  return out;
}

}  // namespace dae::resolver::git
