#include "resolver/source/credentials.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "resolver/source/index.h"

namespace dae::resolver {
namespace {

// A keyring may ask its user to unlock it, but nobody waits for a dialogue that nobody sees.
constexpr int64_t kKeyringTimeoutMs = 30'000;
constexpr uint64_t kKeyringBytes = 64 << 10;

Login login_of(const std::string& user_info) {
  const size_t colon = user_info.find(':');
  if (colon == std::string::npos) return {percent_decode(user_info), ""};
  return {percent_decode(user_info.substr(0, colon)), percent_decode(user_info.substr(colon + 1))};
}

Credential credential(const Login& login, std::string origin) {
  return {"Basic " + base64(login.user + ":" + login.password), std::move(origin)};
}

std::string variable(const std::string& name, const char* suffix) {
  std::string out = "DAE_INDEX_";
  for (const char c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
    out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : plain ? c : '_';
  }
  return out + suffix;
}

}  // namespace

void CredentialStore::add(const IndexSource& index) {
  const Url parts = parse_url(index.url);
  Index entry{index.name, parts.text(), parts.origin(), std::nullopt};
  if (!parts.user_info.empty()) entry.login = login_of(parts.user_info);
  const std::scoped_lock lock(mutex_);
  indexes_.push_back(std::move(entry));
  known_.clear();
}

void CredentialStore::add_when_refused(std::function<void()> more) {
  const std::scoped_lock lock(more_mutex_);
  more_ = std::move(more);
  more_was_added_ = true;
}

bool CredentialStore::has_indexes() {
  const std::scoped_lock lock(more_mutex_, mutex_);
  return more_was_added_ || !indexes_.empty();
}

bool CredentialStore::has_better(const std::string& url, const std::string& sent) {
  {
    const std::scoped_lock lock(more_mutex_);
    if (const auto more = std::exchange(more_, nullptr)) more();
  }
  const auto found = find(url);
  return found && found->authorization != sent;
}

// The longest root that is the beginning of the URL, else the first index of the origin.
const CredentialStore::Index* CredentialStore::index_for(const Url& url, const std::string& text) const {
  const Index *best = nullptr, *first = nullptr;
  const std::string origin = url.origin();
  for (const Index& index : indexes_) {
    if (index.origin != origin) continue;
    if (first == nullptr || (!first->login && index.login)) first = &index;
    if (text.starts_with(index.url) && (best == nullptr || index.url.size() > best->url.size())) best = &index;
  }
  return best != nullptr ? best : first;
}

std::optional<Credential> CredentialStore::find(const std::string& url) {
  const Url parts = parse_url(url);
  const std::scoped_lock lock(mutex_);
  const Index* index = index_for(parts, parts.text());
  if (!parts.user_info.empty()) {
    const Login login = login_of(parts.user_info);
    if (!login.password.empty() || index == nullptr) return credential(login, "its URL");
  }
  const std::string key = index != nullptr ? index->url : parts.origin();
  const auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  return known_.emplace(key, look_up(parts, index)).first->second;
}

std::optional<Credential> CredentialStore::look_up(const Url& url, const Index* index) {
  std::optional<Login> login;
  std::string origin;
  if (index != nullptr && index->login) {
    login = index->login;
    origin = "the index URL";
  } else if (index != nullptr) {
    login = from_environment(*index, origin);
  }
  if (login && !login->password.empty()) return credential(*login, origin);
  const auto saved = from_netrc(url.host);
  if (saved && (!login || saved->user == login->user)) {
    if (!saved->password.empty()) return credential(*saved, "netrc");
    if (!login) login = saved, origin = "netrc";
  }
  if (keyring_ != nullptr) {
    std::vector<std::string> services;
    if (index != nullptr) services.push_back(index->url);
    services.push_back(url.host);
    if (const auto kept = from_keyring(services, login ? login->user : "")) return credential(*kept, "the keyring");
  }
  // A name alone: some servers take a token in its place.
  return login ? std::optional<Credential>(credential(*login, origin)) : std::nullopt;
}

std::optional<Login> CredentialStore::from_environment(const Index& index, std::string& origin) const {
  if (index.name.empty()) return std::nullopt;
  const auto user = env_var(variable(index.name, "_USERNAME").c_str());
  const auto password = env_var(variable(index.name, "_PASSWORD").c_str());
  if (!user && !password) return std::nullopt;
  origin = variable(index.name, user ? "_USERNAME" : "_PASSWORD");
  return Login{user.value_or(""), password.value_or("")};
}

std::optional<Login> CredentialStore::from_netrc(const std::string& host) {
  if (!netrc_) {
    try {
      netrc_ = Netrc::of_user();
    } catch (const Error& error) {
      // Told to those whom a server refuses; all others have nothing to do with a damaged file.
      problem_ = fmt::format("; netrc is not read: {}: {}", error.subject(), error.message());
      netrc_.emplace();
    }
  }
  return netrc_->login(host);
}

std::optional<Login> CredentialStore::from_keyring(const std::vector<std::string>& services, const std::string& user) {
  const auto program = find_program("keyring");
  if (!program) return std::nullopt;
  for (const std::string& service : services) {
    ProcessSpec spec;
    spec.argv = user.empty() ? std::vector<std::string>{program->string(), "--mode", "creds", "get", service}
                             : std::vector<std::string>{program->string(), "get", service, user};
    spec.env = {{"PYTHONIOENCODING", "utf-8"}};
    spec.timeout_ms = kKeyringTimeoutMs;
    spec.output_limit_bytes = kKeyringBytes;
    const ProcessResult result = keyring_->run(spec);
    if (result.timed_out) {
      problem_ += fmt::format("; the keyring gave no answer for `{}` within {} s", service, kKeyringTimeoutMs / 1000);
      return std::nullopt;
    }
    if (result.exit_code != 0 || result.truncated) continue;
    std::vector<std::string> lines = split_lines(result.out);
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    if (lines.size() == (user.empty() ? 2u : 1u)) return Login{user.empty() ? lines[0] : user, lines.back()};
  }
  return std::nullopt;
}

void CredentialStore::authorise(HttpRequest& request) {
  const auto found = request.headers.has("Authorization") ? std::nullopt : find(request.url);
  const size_t host = request.url.find("://") + 3;
  const size_t end = std::min(request.url.find_first_of("/?#", host), request.url.size());
  const size_t at = request.url.rfind('@', end);
  if (at != std::string::npos && at >= host && at < end) request.url.erase(host, at + 1 - host);
  if (found) request.headers.set("Authorization", found->authorization);
}

std::string CredentialStore::hint(const std::string& url) {
  if (const auto used = find(url)) return fmt::format("the credentials from {} were not accepted", used->origin);
  const Url parts = parse_url(url);
  const std::scoped_lock lock(mutex_);
  const Index* index = index_for(parts, parts.text());
  const std::string variables =
      index == nullptr || index->name.empty()
          ? ""
          : fmt::format(", or set {} and {}", variable(index->name, "_USERNAME"), variable(index->name, "_PASSWORD"));
  return fmt::format("no credentials are known for `{}`: put them into your netrc file{}{}", parts.host, variables,
                     problem_);
}

}  // namespace dae::resolver
