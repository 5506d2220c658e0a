#include "resolver/source/git_source.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "resolver/source/direct_reference.h"
#include "resolver/source/git_repo.h"
#include "resolver/source/gitmodules.h"
#include "resolver/source/source_tree.h"

namespace dae::resolver {
namespace {

constexpr int kMaxSubmoduleDepth = 10;
constexpr size_t kMaxSubmodules = 200;

bool is_local(const std::string& url) {
  return url.starts_with("file://");
}

[[noreturn]] void refuse_offline(const std::string& revision, const std::string& label) {
  throw Error(ErrorKind::refused,
              revision.empty() ? "the repository is not in the cache, and `--offline` forbids fetching it"
                               : fmt::format("`{}` is not in the cache, and `--offline` forbids fetching it", revision),
              label, "run it once without `--offline`");
}

class Checkout {
 public:
  explicit Checkout(const VcsAccess& access) : access_(access) {}

  void populate(const std::string& url, const std::string& commit, const std::string& revision, const Path& into,
                const std::string& label, int depth) {
    const Path dir = vcs_cache_entry(access_.cache_dir, "git", url);
    const git::CheckoutResult result = [&] {
      const FileLock lock = lock_source(dir, label, access_.events);
      git::Repo repo(dir);
      ensure(repo, url, commit, revision, label);
      return repo.checkout(commit, into, label);
    }();
    if (result.uses_lfs) {
      warning(access_.events, fmt::format("`{}` keeps files in git LFS, which are not fetched", label));
    }
    for (const git::Submodule& submodule : result.submodules) add_submodule(submodule, url, into, label, depth);
  }

 private:
  void ensure(git::Repo& repo, const std::string& url, const std::string& commit, const std::string& revision,
              const std::string& label) {
    if (repo.find_commit(commit)) return;
    if (access_.offline && !is_local(url)) refuse_offline(commit, label);
    const git::Access access{access_.transport, access_.runner, access_.events};
    try {
      repo.fetch(url, commit, label, access);
    } catch (const Error& error) {
      // A commit that only `refs/pull/…` or another hidden ref leads to.
      if (error.kind() != ErrorKind::not_found || revision.empty() || revision == commit) throw;
      repo.fetch(url, revision, label, access);
      if (!repo.find_commit(commit)) throw;
    }
  }

  void add_submodule(const git::Submodule& submodule, const std::string& parent, const Path& into,
                     const std::string& label, int depth) {
    const std::string name = fmt::format("{} (submodule `{}`)", label, submodule.path);
    if (submodule.url.empty()) {
      return warning(access_.events, fmt::format("{}: .gitmodules does not say where it is; left empty", name));
    }
    if (depth >= kMaxSubmoduleDepth || ++submodules_ > kMaxSubmodules) {
      throw Error(ErrorKind::bad_input, "too many submodules, or submodules within submodules", name);
    }
    const std::string url = submodule_address(parent, submodule.url, name);
    const Path place = into / submodule.path;
    // git makes an empty folder there; anything else would be written through.
    const auto info = file_info(place);
    if (!info || !info->is_dir() || !list_dir(place).empty()) {
      throw Error(ErrorKind::bad_input, "something else stands where the submodule belongs", name);
    }
    populate(url, submodule.commit, "", place, name, depth + 1);
  }

  // The rules of addresses that people write hold for those in repositories too; and a repository from elsewhere does
  // not make us read folders of this machine (CVE-2022-39253).
  static std::string submodule_address(const std::string& parent, const std::string& written, const std::string& name) {
    const std::string url = git::submodule_url(parent, written);
    if (url.find("://") == std::string::npos) {
      throw Error(ErrorKind::refused, "the submodule is not at an address", name).because(written);
    }
    const DirectReference reference = parse_direct_reference("git+" + url, {});
    if (is_local(reference.url) && !is_local(parent)) {
      throw Error(ErrorKind::refused, "the submodule names a folder of this machine", name).because(reference.label);
    }
    return reference.url;
  }

  const VcsAccess& access_;
  size_t submodules_ = 0;
};

}  // namespace

FileLock lock_source(const Path& path, const std::string& label, EventSink& events) {
  make_dirs(path.parent_path());
  return FileLock::acquire(path.string() + ".lock", [&](int pid) {
    note(events, fmt::format("waiting for process {}, which reads `{}`", pid, label));
  });
}

bool is_commit_id(const std::string& text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Path vcs_cache_entry(const Path& cache_dir, const std::string& kind, const std::string& url) {
  std::string clean = shareable_url(url, kind);
  while (clean.ends_with('/')) clean.pop_back();
  return cache_dir / (kind + "-v1") / Digest::of(clean).short_hex(32);
}

std::string resolve_git(const std::string& url, const std::string& revision, const std::string& label,
                        const VcsAccess& access) {
  const Path dir = vcs_cache_entry(access.cache_dir, "git", url);
  const FileLock lock = lock_source(dir, label, access.events);
  git::Repo repo(dir);
  const std::string wanted = git::looks_like_commit(revision) && revision.size() == 40 ? lower(revision) : revision;
  if (is_commit_id(wanted)) {
    if (const auto here = repo.find_commit(wanted)) return *here;
  }
  if (access.offline && !is_local(url)) {
    if (const auto seen = repo.last_seen(wanted)) return *seen;
    if (const auto here = repo.find_commit(wanted)) return *here;
    refuse_offline(revision, label);
  }
  return repo.fetch(url, wanted, label, {access.transport, access.runner, access.events});
}

Path checkout_git(const std::string& url, const std::string& commit, const std::string& revision,
                  const std::string& label, const VcsAccess& access) {
  if (!is_commit_id(commit)) throw Error(ErrorKind::bad_input, fmt::format("`{}` is not a commit id", commit), label);
  const Path place = access.cache_dir / "git-v1/checkouts" / commit;
  if (exists(place)) return place;
  const FileLock lock = lock_source(place, label, access.events);
  if (exists(place)) return place;
  TempDir work(".checkout-", place.parent_path());
  const Path tree = work.path() / "tree";
  Checkout(access).populate(url, commit, revision, tree, label, 0);
  check_links_stay_inside(tree, label);
  rename_path(tree, place);
  return place;
}

}  // namespace dae::resolver
