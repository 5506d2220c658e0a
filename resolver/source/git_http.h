#pragma once
// git's "smart" protocol over our own HTTP client, in place of the one libgit2 brings: that one has no time limits,
// reads neither netrc nor proxies nor certificates the way the rest of this program does, and would not know
// `--offline`.
#include <exception>
#include <optional>
#include <string>

#include "base/events.h"
#include "base/http_client.h"
#include "base/process.h"
#include "resolver/source/git_handle.h"

namespace dae::resolver::git {

struct Login {
  std::string user, password;
};
// What the user's credential helpers know of this host, asked through `git credential fill`; never asks a person.
// nullopt: nothing, or no git here.
std::optional<Login> stored_login(const std::string& url, ProcessRunner& runner);

// One conversation with one repository. Must outlive the transport that libgit2 makes of it.
class HttpConversation {
 public:
  // `url` may hold credentials.
  HttpConversation(const std::string& url, Transport& transport, ProcessRunner& runner, EventSink& events);

  // For git_remote_callbacks::transport; `payload` is the conversation. Failures are kept in `error`, since no
  // exception may cross libgit2.
  static int make_transport(git_transport** out, git_remote* owner, void* payload);

  std::string refs();  // the advertisement of info/refs
  // The answer of git-upload-pack, in a file that goes with `spool`.
  void upload_pack(std::string request, const Path& spool);

  std::exception_ptr error;

 private:
  HttpResponse send(HttpRequest request);
  [[noreturn]] void refuse(const HttpResponse& answer) const;

  std::string url_;    // of the repository, without credentials
  std::string label_;  // as the user knows it
  std::optional<Login> login_;
  bool asked_helpers_ = false;
  Transport& transport_;
  ProcessRunner& runner_;
  EventSink& events_;
};

}  // namespace dae::resolver::git
