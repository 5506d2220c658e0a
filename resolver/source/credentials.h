#pragma once
// Names and passwords for package servers. They go into requests and nowhere else: no message, log, lock, cache or
// argument list ever holds one. Where there is a credential it is sent at once: a server that shows strangers less
// would otherwise answer with a part of its packages. It is for one origin (scheme, host, port) and follows no redirect
// to another.
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/http_client.h"
#include "base/process.h"
#include "resolver/source/netrc.h"

namespace dae::resolver {

struct IndexSource;

struct Credential {
  std::string authorization;  // the header field's value
  std::string origin;         // where it came from: "netrc", "DAE_INDEX_INTERNAL_USERNAME"; for messages
};

// Thread-safe.
class CredentialStore {
 public:
  // With `keyring`, its `keyring` command is asked for what is found nowhere else.
  explicit CredentialStore(ProcessRunner* keyring = nullptr) : keyring_(keyring) {}

  // Files of the same origin are asked for with an index's credentials, of several the one whose URL fits best: those
  // in its URL, else $DAE_INDEX_<NAME>_USERNAME and _PASSWORD, else netrc, else the keyring.
  void add(const IndexSource& index);
  // What is dear to find out: `more` is called once, when a server refuses, and may add() indexes.
  void add_when_refused(std::function<void()> more);
  bool has_indexes();  // or may have some when a server refuses
  // For this URL; a URL of no index may hold its own, else netrc and the keyring are looked at. nullopt: none is known.
  std::optional<Credential> find(const std::string& url);
  // Takes a credential out of the request's URL and sets its Authorization field, if there is one and none is set.
  void authorise(HttpRequest& request);
  // After a 401, 403 or 404: whether there is a credential that the Authorization field `sent` was not.
  bool has_better(const std::string& url, const std::string& sent);
  // What to do about a 401 or 403 from this URL.
  std::string hint(const std::string& url);

 private:
  struct Index {
    std::string name, url, origin;  // `url` without credentials
    std::optional<Login> login;     // of its URL
  };
  const Index* index_for(const Url& url, const std::string& text) const;
  std::optional<Credential> look_up(const Url& url, const Index* index);
  std::optional<Login> from_environment(const Index& index, std::string& origin) const;
  std::optional<Login> from_netrc(const std::string& host);
  std::optional<Login> from_keyring(const std::vector<std::string>& services, const std::string& user);

  ProcessRunner* const keyring_;
  std::mutex more_mutex_;  // held while `more_` runs; taken before mutex_
  std::function<void()> more_;
  bool more_was_added_ = false;
  std::mutex mutex_;
  std::vector<Index> indexes_;
  std::optional<Netrc> netrc_;
  std::string problem_;                                     // what kept us from reading some; for hints
  std::map<std::string, std::optional<Credential>> known_;  // by the URL of the index, or an origin
};

}  // namespace dae::resolver
