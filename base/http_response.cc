#include "base/http_server.h"
#include "base/value.h"

namespace dae {

std::string ServerRequest::query_value(std::string_view key, std::string_view fallback) const {
  for (const auto& [name, value] : query) {
    if (name == key) return value;
  }
  return std::string(fallback);
}

ServerResponse ServerResponse::text(int status, std::string body, std::string content_type) {
  ServerResponse response;
  response.status = status;
  response.headers.add("Content-Type", std::move(content_type));
  response.body = std::move(body);
  return response;
}

ServerResponse ServerResponse::json(int status, std::string body, std::string content_type) {
  return text(status, std::move(body), std::move(content_type));
}

ServerResponse ServerResponse::not_found(std::string what) {
  return problem(404, "not found", what.empty() ? "nothing is here" : std::move(what));
}

ServerResponse ServerResponse::problem(int status, std::string title, std::string detail, std::string hint) {
  Value document = Value::object(
      {{"detail", std::move(detail)}, {"status", status}, {"title", std::move(title)}, {"type", "about:blank"}});
  if (!hint.empty()) document.set("hint", std::move(hint));
  return json(status, canonical_json(document), "application/problem+json");
}

}  // namespace dae
