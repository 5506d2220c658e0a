#include "mirror/registry/protocol.h"

#include <algorithm>

#include "base/log.h"
#include "base/strings.h"
#include "base/value.h"

namespace dae::mirror {
namespace {

bool is_lower_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool is_alnum(char c) {
  return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_name_component(std::string_view part) {
  size_t i = 0;
  while (true) {
    const size_t word = i;
    while (i < part.size() && is_lower_alnum(part[i])) ++i;
    if (i == word) return false;
    if (i == part.size()) return true;
    const size_t separator = i;
    while (i < part.size() && part[i] == part[separator]) ++i;
    const size_t length = i - separator;
    const bool legal =
        part[separator] == '-' || (part[separator] == '.' && length == 1) || (part[separator] == '_' && length <= 2);
    if (!legal) return false;
  }
}

}  // namespace

OciRefusal::OciRefusal(int status, std::string code, std::string message, Headers headers)
    : Error(ErrorKind::refused, std::move(message)),
      status_(status),
      code_(std::move(code)),
      headers_(std::move(headers)) {}

ServerResponse OciRefusal::response() const {
  Value error = Value::object({{"code", code_}, {"message", message()}});
  const Value body = Value::object({{"errors", Value(Value::Array{std::move(error)})}});
  ServerResponse response = ServerResponse::json(status_, canonical_json(body));
  for (const auto& [name, value] : headers_.fields()) response.headers.set(name, value);
  return response;
}

bool is_repository_name(std::string_view name) {
  if (name.empty() || name.size() > 255) return false;
  const std::vector<std::string> parts = split(name, '/');
  return std::all_of(parts.begin(), parts.end(), [](const std::string& part) { return is_name_component(part); });
}

bool is_tag(std::string_view tag) {
  if (tag.empty() || tag.size() > 128 || tag[0] == '.' || tag[0] == '-') return false;
  return std::all_of(tag.begin(), tag.end(), [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

const std::string& checked_repository(const std::string& name) {
  if (!is_repository_name(name)) throw OciRefusal(400, "NAME_INVALID", "not a repository name");
  return name;
}

Handler with_oci_errors(Handler handle) {
  return [handle = std::move(handle)](const ServerRequest& request) {
    try {
      return handle(request);
    } catch (const OciRefusal& refusal) {
      return refusal.response();
    } catch (const Error& error) {
      log_error("registry request failed", {{"path", request.path}, {"why", error.what()}});
      // The specification has no code for our own trouble; clients look at the status, and try again after a 503.
      return OciRefusal(error.kind() == ErrorKind::network ? 503 : 500, "UNKNOWN",
                        "the registry could not do this; its log says why")
          .response();
    }
  };
}

}  // namespace dae::mirror
