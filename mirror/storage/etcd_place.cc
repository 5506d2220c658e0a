#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "mirror/storage/etcd_lease.h"
#include "mirror/storage/object_store.h"

namespace dae::mirror {
namespace {

constexpr size_t kMaxUrl = 2048, kMaxEndpoints = 16;
constexpr const char* kDefaultPort = ":2379";

[[noreturn]] void fail(std::string_view text, const std::string& why, const std::string& hint = "") {
  std::string shown = redact_url(text.substr(0, std::min(text.find_first_of("?#"), text.size())));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  throw Error(ErrorKind::bad_input, "not the URL of a key in etcd", shown.substr(0, 200))
      .because(why)
      .with_hint(hint.empty() ? "etcd://HOST:2379,HOST2:2379/KEY, or etcds:// for TLS" : hint);
}

bool has_port(std::string_view host) {
  const size_t colon = host.rfind(':');
  return colon != std::string_view::npos && (host.front() != '[' || host.rfind(']') < colon);
}

std::string endpoint_of(std::string_view text, std::string_view scheme, const std::string& host) {
  if (host.empty()) fail(text, "a host without a name");
  try {
    const Url url = parse_url(std::string(scheme) + "://" + host + (has_port(host) ? "" : kDefaultPort));
    if (url.path == "/" && url.query.empty() && url.fragment.empty() && url.user_info.empty()) return url.origin();
  } catch (const Error&) {
    // Said below.
  }
  fail(text, "a host that is none");
}

}  // namespace

EtcdPlace parse_etcd_url(std::string_view text) {
  if (text.size() > kMaxUrl) fail(text, "it is too long");
  const bool tls = text.starts_with("etcds://");
  if (!tls && !text.starts_with("etcd://")) fail(text, "it does not begin with `etcd://` or `etcds://`");
  const std::string_view rest = text.substr(text.find("://") + 3);
  if (rest.find_first_of("?#") != std::string_view::npos) fail(text, "a `?` or `#`, which means nothing here");
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos || slash + 1 == rest.size()) fail(text, "no key");
  if (rest.substr(0, slash).find('@') != std::string_view::npos) {
    fail(text, "a name or password in it", "they come from the environment: ETCDCTL_USER=name:password");
  }
  EtcdPlace out;
  out.key = rest.substr(slash + 1);
  try {
    check_object_key(out.key);
  } catch (const Error& error) {
    fail(text, "its key cannot be used: " + error.cause());
  }
  for (const std::string& host : split(rest.substr(0, slash), ',')) {
    if (out.endpoints.size() == kMaxEndpoints) fail(text, "too many hosts");
    out.endpoints.push_back(endpoint_of(text, tls ? "https" : "http", host));
  }
  return out;
}

std::string EtcdPlace::text() const {
  std::vector<std::string> hosts;
  bool tls = false;
  for (const std::string& endpoint : endpoints) {
    tls = endpoint.starts_with("https://");
    const std::string host = endpoint.substr(endpoint.find("://") + 3);
    // An origin leaves the scheme's own port out.
    hosts.push_back(has_port(host) ? host : host + (tls ? ":443" : ":80"));
  }
  return (tls ? "etcds://" : "etcd://") + join(hosts, ",") + "/" + key;
}

}  // namespace dae::mirror
