#include "resolver/source/git_refs.h"

#include <fmt/format.h>
#include <git2.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/standards/direct_url.h"

namespace dae::resolver::git {
namespace {

constexpr size_t kMaxRefs = 1'000'000;
constexpr size_t kMaxPackBytes = size_t{8} << 30;
constexpr const char* kDefaultBranch = "refs/dae/HEAD";

std::vector<std::string> remote_names(const std::string& revision) {
  if (revision.empty() || revision == "HEAD") return {"HEAD"};
  if (revision.starts_with("refs/")) return {revision};
  return {"refs/heads/" + revision, "refs/tags/" + revision, "refs/" + revision};
}

std::string user_of(const std::string& url) {
  const size_t begin = url.find("://") + 3;
  const std::string authority = url.substr(begin, url.find('/', begin) - begin);
  const size_t at = authority.rfind('@');
  return at == std::string::npos ? "git" : authority.substr(0, std::min(at, authority.find(':')));
}

}  // namespace

const RemoteRef* find_ref(const std::vector<RemoteRef>& refs, const std::string& revision) {
  for (const std::string& name : remote_names(revision)) {
    const auto found = std::ranges::find(refs, name, &RemoteRef::name);
    if (found != refs.end()) return &*found;
  }
  return nullptr;
}

std::string local_name(const RemoteRef& ref) {
  return ref.name == "HEAD" ? kDefaultBranch : ref.name;
}

std::vector<std::string> local_names(const std::string& revision) {
  std::vector<std::string> out = remote_names(revision);
  if (out.front() == "HEAD") out.front() = kDefaultBranch;
  return out;
}

std::string fetch_spec(const RemoteRef& ref) {
  return "+" + ref.name + ":" + local_name(ref);
}

std::string hint_for(const std::vector<RemoteRef>& refs) {
  constexpr size_t kShown = 8;
  std::vector<std::string> names;
  for (const std::string_view prefix : {"refs/heads/", "refs/tags/"}) {
    for (const RemoteRef& ref : refs) {
      if (ref.name.starts_with(prefix) && !ref.name.ends_with("^{}")) names.push_back(ref.name.substr(prefix.size()));
    }
  }
  if (names.empty()) return "the repository is empty";
  const bool more = names.size() > kShown;
  names.resize(std::min(names.size(), kShown));
  return "it has " + join(names, ", ") + (more ? ", …" : "");
}

void remember(git_repository* repository, const std::string& name, const git_oid& id, const std::string& label) {
  git_reference* raw = nullptr;
  if (git_reference_create(&raw, repository, name.c_str(), &id, 1, "dae") != 0) git_failed("cannot note a ref", label);
  git_reference_free(raw);
}

struct Fetching::Callbacks {
  git_remote_callbacks table = GIT_REMOTE_CALLBACKS_INIT;
  std::string user;
  std::vector<Path> keys;
  size_t attempt = 0;
  bool keys_refused = false, too_large = false;

  // ssh: the agent first, then the usual files, each once.
  static int credential(git_credential** out, const char*, const char*, unsigned allowed, void* payload) noexcept {
    auto& self = *static_cast<Callbacks*>(payload);
    if ((allowed & GIT_CREDENTIAL_USERNAME) != 0) return git_credential_username_new(out, self.user.c_str());
    if ((allowed & GIT_CREDENTIAL_SSH_KEY) == 0) return GIT_PASSTHROUGH;
    if (self.attempt == 0) {
      ++self.attempt;
      if (env_var("SSH_AUTH_SOCK")) return git_credential_ssh_key_from_agent(out, self.user.c_str());
    }
    if (self.attempt > self.keys.size()) {
      self.keys_refused = true;
      return GIT_EUSER;
    }
    const std::string key = self.keys[self.attempt++ - 1].string(), shared = key + ".pub";
    return git_credential_ssh_key_new(out, self.user.c_str(), exists(Path(shared)) ? shared.c_str() : nullptr,
                                      key.c_str(), "");
  }

  static int progress(const git_indexer_progress* stats, void* payload) noexcept {
    auto& self = *static_cast<Callbacks*>(payload);
    self.too_large = stats->received_bytes > kMaxPackBytes;
    return self.too_large ? -1 : 0;
  }
};

Fetching::Fetching(git_repository* repository, const std::string& url, const std::string& label, const Access& access)
    : label_(label), callbacks_(std::make_unique<Callbacks>()) {
  git_remote* raw = nullptr;
  const bool http = url.starts_with("http://") || url.starts_with("https://");
  // libgit2 need not see a password that it does not use.
  const std::string shown = http ? strip_url_credentials(url) : url;
  if (git_remote_create_anonymous(&raw, repository, shown.c_str()) != 0) git_failed("cannot use this address", label_);
  remote_.reset(raw);
  Callbacks& callbacks = *callbacks_;
  callbacks.user = user_of(url);
  for (const char* name : {"id_ed25519", "id_ecdsa", "id_rsa"}) {
    if (const Path key = home_dir() / ".ssh" / name; exists(key)) callbacks.keys.push_back(key);
  }
  // The user's git configuration may send the address elsewhere (`url.….insteadOf`).
  const std::string used = git_remote_url(raw);
  if (used.starts_with("http://") || used.starts_with("https://")) {
    http_ =
        std::make_unique<HttpConversation>(used == shown ? url : used, access.transport, access.runner, access.events);
    callbacks.table.transport = HttpConversation::make_transport;
    callbacks.table.payload = http_.get();
  } else {
    callbacks.table.credentials = Callbacks::credential;
    callbacks.table.transfer_progress = Callbacks::progress;
    callbacks.table.payload = &callbacks;
  }
}

Fetching::~Fetching() = default;

void Fetching::failed() {
  if (http_ && http_->error) std::rethrow_exception(http_->error);
  if (callbacks_->keys_refused) {
    throw Error(ErrorKind::refused, "the server accepted none of the ssh keys", label_,
                "load the right key into the ssh agent");
  }
  if (callbacks_->too_large) throw Error(ErrorKind::bad_input, "the repository is too large", label_);
  const git_error* last = git_error_last();
  const std::string said = last != nullptr && last->message != nullptr ? last->message : "";
  if (last != nullptr && last->klass == GIT_ERROR_SSH && said.find("hostkey") != std::string::npos) {
    throw Error(ErrorKind::refused, "the host's key is not known", label_,
                "connect once with `ssh`, which notes it in your known_hosts")
        .because(said);
  }
  const bool local = std::string_view(git_remote_url(remote_.get())).starts_with("file://");
  throw Error(local ? ErrorKind::not_found : ErrorKind::network, "the git repository cannot be read", label_)
      .because(said);
}

void Fetching::connect() {
  if (git_remote_connected(remote_.get()) != 0) return;
  if (git_remote_connect(remote_.get(), GIT_DIRECTION_FETCH, &callbacks_->table, nullptr, nullptr) != 0) failed();
}

std::vector<RemoteRef> Fetching::list() {
  connect();
  const git_remote_head** heads = nullptr;
  size_t count = 0;
  if (git_remote_ls(&heads, &count, remote_.get()) != 0) failed();
  if (count > kMaxRefs) throw Error(ErrorKind::bad_input, "the repository has too many refs", label_);
  std::vector<RemoteRef> out;
  for (size_t i = 0; i < count; ++i) out.push_back({heads[i]->name, hex(heads[i]->oid)});
  return out;
}

int Fetching::fetch(std::vector<std::string>& specs) {
  git_fetch_options options = GIT_FETCH_OPTIONS_INIT;
  options.callbacks = callbacks_->table;
  options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
  options.update_fetchhead = 0;
  std::vector<char*> texts;
  for (std::string& spec : specs) texts.push_back(spec.data());
  const git_strarray list{texts.data(), texts.size()};
  return git_remote_fetch(remote_.get(), &list, &options, "dae");
}

void Fetching::get(std::vector<std::string> specs) {
  if (fetch(specs) != 0) failed();
}

bool Fetching::try_get(const std::string& id) {
  connect();
  std::vector<std::string> specs{id + ":refs/dae/" + id};
  return fetch(specs) == 0;
}

}  // namespace dae::resolver::git
