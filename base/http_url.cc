#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/http.h"
#include "base/log.h"
#include "base/strings.h"

namespace dae {

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_unreserved(char c) {
  return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

// The five components of RFC 3986 section 3; absent and empty differ for authority, query and fragment.
struct Reference {
  std::string_view scheme, path;
  std::optional<std::string_view> authority, query, fragment;
};

Reference split_reference(std::string_view text) {
  Reference parts;
  if (size_t hash = text.find('#'); hash != std::string_view::npos) {
    parts.fragment = text.substr(hash + 1);
    text = text.substr(0, hash);
  }
  if (size_t mark = text.find('?'); mark != std::string_view::npos) {
    parts.query = text.substr(mark + 1);
    text = text.substr(0, mark);
  }
  size_t colon = text.find_first_of(":/");
  if (colon != std::string_view::npos && colon > 0 && text[colon] == ':' && is_alpha(text[0]) &&
      std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon),
                  [](char c) { return is_alpha(c) || is_digit(c) || c == '+' || c == '-' || c == '.'; })) {
    parts.scheme = text.substr(0, colon);
    text = text.substr(colon + 1);
  }
  if (text.substr(0, 2) == "//") {
    size_t end = std::min(text.find('/', 2), text.size());
    parts.authority = text.substr(2, end - 2);
    text = text.substr(end);
  }
  parts.path = text;
  return parts;
}

// RFC 3986 section 5.2.4.
std::string remove_dot_segments(std::string_view in) {
  std::string out;
  auto drop_last = [&out] { out.erase(std::min(out.rfind('/'), out.size())); };
  while (!in.empty()) {
    if (in.starts_with("../")) {
      in.remove_prefix(3);
    } else if (in.starts_with("./") || in.starts_with("/./")) {
      in.remove_prefix(2);
    } else if (in == "/.") {
      in = "/";
    } else if (in.starts_with("/../")) {
      in.remove_prefix(3);
      drop_last();
    } else if (in == "/..") {
      in = "/";
      drop_last();
    } else if (in == "." || in == "..") {
      in = {};
    } else {
      size_t end = std::min(in.find('/', 1), in.size());
      out += in.substr(0, end);
      in.remove_prefix(end);
    }
  }
  return out;
}

// RFC 3986 section 5.2.3.
std::string merge_paths(const Reference& base, std::string_view path) {
  if (base.authority && base.path.empty()) return "/" + std::string(path);
  size_t slash = base.path.rfind('/');
  return std::string(slash == std::string_view::npos ? "" : base.path.substr(0, slash + 1)) + std::string(path);
}

Error bad_url(std::string_view text, std::string cause) {
  return Error(ErrorKind::bad_input, "not a usable URL", redact_url(text)).because(std::move(cause));
}

uint16_t parse_port(std::string_view text, std::string_view digits) {
  unsigned port = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port == 0 || port > 65535) {
    throw bad_url(text, "the port is not a number from 1 to 65535");
  }
  return static_cast<uint16_t>(port);
}

// Splits "[user-info@]host[:port]" into `url`.
void parse_authority(std::string_view text, std::string_view authority, Url& url) {
  if (size_t at = authority.rfind('@'); at != std::string_view::npos) {
    url.user_info = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  size_t host_end = authority.starts_with('[') ? authority.find(']') : authority.find(':');
  if (authority.starts_with('[')) {
    if (host_end == std::string_view::npos) throw bad_url(text, "`[` without `]` in the host");
    ++host_end;
  }
  url.host = lower(authority.substr(0, host_end));
  if (url.host.empty() || url.host == "[]") throw bad_url(text, "no host");
  std::string_view rest = host_end < authority.size() ? authority.substr(host_end) : std::string_view();
  if (!rest.empty() && rest[0] != ':') throw bad_url(text, "something between the host and the port");
  if (rest.size() > 1) url.port = parse_port(text, rest.substr(1));
  static constexpr std::string_view kNotInHosts = "/\\@<>\"{}|^`%";
  if (url.host.find_first_of(kNotInHosts) != std::string::npos) throw bad_url(text, "a strange character in the host");
}

}  // namespace

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    int high = text[i] == '%' && i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    int low = high >= 0 ? hex_value(text[i + 2]) : -1;
    if (low < 0) {
      out += text[i];
    } else {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (is_unreserved(c) || (keep_slash && c == '/')) {
      out += c;
    } else {
      auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

std::string Url::origin() const {
  std::string out = scheme + "://" + host;
  if (port != (scheme == "https" ? 443 : 80)) out += ":" + std::to_string(port);
  return out;
}

std::string Url::text() const {
  return origin() + path + (query.empty() ? "" : "?" + query);
}

Url parse_url(std::string_view text) {
  // A control character or a space would let a URL from outside write lines of its own into the request.
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 127; })) {
    throw bad_url(text, "a space or control character in it");
  }
  Reference parts = split_reference(text);
  Url url;
  url.scheme = lower(parts.scheme);
  if (url.scheme != "http" && url.scheme != "https") throw bad_url(text, "it does not begin with http:// or https://");
  if (!parts.authority) throw bad_url(text, "no host");
  url.port = url.scheme == "https" ? 443 : 80;
  parse_authority(text, *parts.authority, url);
  url.path = parts.path.empty() ? "/" : std::string(parts.path);
  url.query = parts.query.value_or("");
  url.fragment = parts.fragment.value_or("");
  return url;
}

std::string resolve_url(std::string_view base, std::string_view reference) {
  Reference from = split_reference(base);
  Reference to = split_reference(reference);
  Reference out = to;
  std::string path;
  if (!to.scheme.empty() || to.authority) {
    path = remove_dot_segments(to.path);
    if (to.scheme.empty()) out.scheme = from.scheme;
  } else {
    out.scheme = from.scheme;
    out.authority = from.authority;
    if (to.path.empty()) {
      path = from.path;
      if (!to.query) out.query = from.query;
    } else {
      path = remove_dot_segments(to.path.starts_with('/') ? std::string(to.path) : merge_paths(from, to.path));
    }
  }
  std::string text;
  if (!out.scheme.empty()) text += std::string(out.scheme) + ":";
  if (out.authority) text += "//" + std::string(*out.authority);
  text += path;
  if (out.query) text += "?" + std::string(*out.query);
  if (out.fragment) text += "#" + std::string(*out.fragment);
  return text;
}

}  // namespace dae
