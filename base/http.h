#pragma once
// Shapes shared by the HTTP client and the server (RFC 9110).
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dae {

// Field names compare without case; order and duplicates are kept.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  void set(std::string_view name, std::string value);  // replaces every field of that name
  void erase(std::string_view name);
  void clear() { fields_.clear(); }
  std::string_view get(std::string_view name) const;  // first value, or ""
  bool has(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

std::string_view http_reason(int status);
std::string percent_decode(std::string_view text);  // invalid escapes are kept as they are
std::string percent_encode(std::string_view text, bool keep_slash = false);

// Parts of an absolute http(s) URL; throws Error bad_input. `path` starts with '/', `query` has no '?', `host` is in
// lower case and keeps the brackets of an IPv6 address.
struct Url {
  std::string scheme, user_info, host, path, query, fragment;
  uint16_t port = 0;           // explicit or the scheme's
  std::string origin() const;  // scheme://host[:port]
  std::string text() const;    // without user-info and fragment
};
Url parse_url(std::string_view text);
// RFC 3986 section 5 resolution of `reference` against `base`.
std::string resolve_url(std::string_view base, std::string_view reference);

}  // namespace dae
