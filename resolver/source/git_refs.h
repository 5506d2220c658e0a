#pragma once
// Asking a remote repository what it has, and for it. For resolver/source/git_*.cc only.
#include "resolver/source/git_http.h"
#include "resolver/source/git_state.h"

extern "C" void git_remote_free(git_remote*);

namespace dae::resolver::git {

struct RemoteRef {
  std::string name;  // "HEAD", "refs/heads/main"
  std::string id;
};

// The reference that `revision` ("" = the default branch) means there: a branch before a tag of the same name, as git
// and pip have it. Null when none.
const RemoteRef* find_ref(const std::vector<RemoteRef>& refs, const std::string& revision);
// What we call it, and where else to look for a revision that was fetched before.
std::string local_name(const RemoteRef& ref);
std::vector<std::string> local_names(const std::string& revision);
std::string fetch_spec(const RemoteRef& ref);
std::string hint_for(const std::vector<RemoteRef>& refs);  // which branches and tags there are
void remember(git_repository* repository, const std::string& name, const git_oid& id, const std::string& label);

// One connection to one remote.
class Fetching {
 public:
  Fetching(git_repository* repository, const std::string& url, const std::string& label, const Access& access);
  ~Fetching();
  Fetching(const Fetching&) = delete;
  Fetching& operator=(const Fetching&) = delete;

  std::vector<RemoteRef> list();
  void get(std::vector<std::string> specs);
  // One object by its id; false when the server does not hand it out.
  bool try_get(const std::string& id);

 private:
  struct Callbacks;
  void connect();
  int fetch(std::vector<std::string>& specs);
  [[noreturn]] void failed();

  const std::string label_;
  std::unique_ptr<HttpConversation> http_;
  std::unique_ptr<Callbacks> callbacks_;
  Handle<git_remote, git_remote_free> remote_;
};

}  // namespace dae::resolver::git
