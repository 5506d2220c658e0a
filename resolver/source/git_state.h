#pragma once
// Shared by resolver/source/git_repo.cc (opening, fetching) and git_checkout.cc.
#include "resolver/source/git_handle.h"
#include "resolver/source/git_repo.h"

struct git_oid;
extern "C" void git_repository_free(git_repository*);

namespace dae::resolver::git {

// libgit2 counts its users; the last shutdown frees everything.
class Library {
 public:
  Library();
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
};

using Repository = Handle<git_repository, git_repository_free>;

struct Repo::State {
  Library library;  // before the repository, so that it goes after it
  Path dir;
  Repository repository;
};

// Throws with what libgit2 said last as its cause.
[[noreturn]] void git_failed(const std::string& message, const std::string& subject);
std::string hex(const git_oid& id);

}  // namespace dae::resolver::git
