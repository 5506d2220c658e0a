#include "resolver/source/git_repo.h"

#include <fmt/format.h>
#include <git2.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "resolver/source/git_refs.h"
#include "resolver/source/git_state.h"

namespace dae::resolver::git {
namespace {

using Object = Handle<git_object, git_object_free>;
using Reference = Handle<git_reference, git_reference_free>;

constexpr size_t kFullId = 40, kShortestId = 4;

std::optional<std::string> peel(git_object* raw) {
  git_object* commit = nullptr;
  if (git_object_peel(&commit, raw, GIT_OBJECT_COMMIT) != 0) return std::nullopt;
  const Object owned(commit);
  return hex(*git_object_id(commit));
}

Repository open_or_make(const Path& dir) {
  git_repository* raw = nullptr;
  if (git_repository_open_bare(&raw, dir.c_str()) == 0) return Repository(raw);
  // Nothing there, or what a killed run left.
  remove_all(dir);
  make_dirs(dir);
  if (git_repository_init(&raw, dir.c_str(), 1) != 0) git_failed("cannot make a git repository", dir);
  return Repository(raw);
}

}  // namespace

Library::Library() {
  git_libgit2_init();
  // Repositories of other accounts are read by `git+file:`. git guards against configuration that runs programs;
  // libgit2 runs none.
  git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
}
Library::~Library() {
  git_libgit2_shutdown();
}

void git_failed(const std::string& message, const std::string& subject) {
  const git_error* last = git_error_last();
  Error error(ErrorKind::failed, message, subject);
  if (last != nullptr && last->message != nullptr) error.because(last->message);
  throw error;
}

std::string hex(const git_oid& id) {
  char text[GIT_OID_HEXSZ + 1];
  git_oid_tostr(text, sizeof text, &id);
  return text;
}

bool looks_like_commit(const std::string& text) {
  return text.size() >= kShortestId && text.size() <= kFullId &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
}

Repo::Repo(Path dir) : state_(std::make_unique<State>()) {
  state_->dir = std::move(dir);
  state_->repository = open_or_make(state_->dir);
}
Repo::~Repo() = default;
Repo::Repo(Repo&&) noexcept = default;

std::optional<std::string> Repo::find_commit(const std::string& id) const {
  if (!looks_like_commit(id)) return std::nullopt;
  git_oid prefix;
  if (git_oid_fromstrn(&prefix, id.data(), id.size()) != 0) return std::nullopt;
  git_object* raw = nullptr;
  const int status = git_object_lookup_prefix(&raw, state_->repository.get(), &prefix, id.size(), GIT_OBJECT_ANY);
  if (status == GIT_EAMBIGUOUS) {
    throw Error(ErrorKind::bad_input, fmt::format("several objects begin with `{}`", id), "", "write more digits");
  }
  if (status != 0) return std::nullopt;
  const Object object(raw);
  return peel(raw);
}

std::optional<std::string> Repo::last_seen(const std::string& revision) const {
  for (const std::string& name : local_names(revision)) {
    git_reference* raw = nullptr;
    if (git_reference_lookup(&raw, state_->repository.get(), name.c_str()) != 0) continue;
    const Reference reference(raw);
    git_object* target = nullptr;
    if (git_reference_peel(&target, raw, GIT_OBJECT_COMMIT) != 0) continue;
    const Object owned(target);
    return hex(*git_object_id(target));
  }
  return std::nullopt;
}

std::string Repo::fetch(const std::string& url, const std::string& revision, const std::string& label,
                        const Access& access) {
  Fetching fetching(state_->repository.get(), url, label, access);
  const std::vector<RemoteRef> refs = fetching.list();
  if (const RemoteRef* found = find_ref(refs, revision)) {
    git_oid id;
    if (git_oid_fromstr(&id, found->id.c_str()) != 0) throw Error(ErrorKind::bad_input, "an odd commit id", label);
    git_odb* raw = nullptr;
    if (git_repository_odb(&raw, state_->repository.get()) != 0) git_failed("cannot read the repository", label);
    const Handle<git_odb, git_odb_free> odb(raw);
    // Objects arrive in whole packs: what is here, is here with all it needs. Tags are asked for beside it, because
    // the versions of many projects are made of them.
    if (git_odb_exists(raw, &id) == 0) fetching.get({fetch_spec(*found), "+refs/tags/*:refs/tags/*"});
    remember(state_->repository.get(), local_name(*found), id, label);
    git_object* object = nullptr;
    if (git_object_lookup(&object, state_->repository.get(), &id, GIT_OBJECT_ANY) != 0) {
      git_failed("the server did not send what it announced", label);
    }
    const Object owned(object);
    if (const auto commit = peel(object)) return *commit;
    throw Error(ErrorKind::bad_input, fmt::format("`{}` is not a commit", revision), label);
  }
  if (looks_like_commit(revision)) {
    fetching.get({"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"});
    if (const auto commit = find_commit(revision)) return *commit;
    // No branch leads to it; many servers hand it out all the same when asked by its full name.
    if (revision.size() == kFullId && Fetching(state_->repository.get(), url, label, access).try_get(lower(revision))) {
      if (const auto commit = find_commit(revision)) return *commit;
    }
  }
  throw Error(ErrorKind::not_found, fmt::format("the repository has no branch, tag or commit `{}`", revision), label,
              hint_for(refs));
}

}  // namespace dae::resolver::git
