#include "mirror/artifact/registry_reply.h"

#include <algorithm>

#include "base/log.h"
#include "base/strings.h"
#include "base/value.h"

namespace dae::mirror {
namespace {

constexpr size_t kLongestReason = 300;

// The first of the specification's errors, made safe for a terminal.
std::string reason_of(const HttpResponse& response) {
  std::string reason = std::to_string(response.status) + " " + std::string(http_reason(response.status));
  try {
    const Value root = parse_json(response.body, "answer").root;
    const Value* errors = root.find("errors");
    if (errors == nullptr || !errors->is_array() || errors->size() == 0) return reason;
    const Value& first = errors->as_array().front();
    const std::string message = first.get_string("message");
    reason = first.get_string("code") + (message.empty() ? "" : ": " + message);
  } catch (const Error&) {
    return reason;  // a proxy's page, or nothing
  }
  std::replace_if(
      reason.begin(), reason.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return reason.substr(0, kLongestReason);
}

ErrorKind kind_of(int status) {
  if (status == 404) return ErrorKind::not_found;
  if (status == 401 || status == 403 || status == 405 || status == 409) return ErrorKind::refused;
  return ErrorKind::network;
}

}  // namespace

Error registry_error(const std::string& what, const std::string& url, const HttpResponse& response) {
  Error error(kind_of(response.status), what, redact_url(url));
  error.because(reason_of(response));
  if (response.status == 401) error.with_hint("the registry wants credentials: put them into ~/.netrc");
  return error;
}

std::optional<std::string> next_link(const HttpResponse& response, const std::string& url) {
  for (const auto& [name, value] : response.headers.fields()) {
    if (!iequals(name, "Link")) continue;
    const size_t open = value.find('<'), close = value.find('>');
    if (open == std::string::npos || close == std::string::npos || close < open) continue;
    const std::string parameters = lower(value.substr(close + 1));
    if (parameters.find("rel=\"next\"") == std::string::npos && parameters.find("rel=next") == std::string::npos) {
      continue;
    }
    return resolve_url(url, value.substr(open + 1, close - open - 1));
  }
  return std::nullopt;
}

}  // namespace dae::mirror
