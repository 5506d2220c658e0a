#include "base/http_router.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace dae {

namespace {

constexpr size_t kMaxQueryPairs = 1000;

std::string decode_query(std::string_view text) {
  return percent_decode(replace_all(std::string(text), "+", " "));
}

std::string join_range(const std::vector<std::string>& parts, size_t begin, size_t end) {
  std::string out;
  for (size_t i = begin; i < end; ++i) out += (i == begin ? "" : "/") + parts[i];
  return out;
}

bool has_dot_dot(std::string_view segment) {
  if (segment == "..") return true;
  if (segment.find('/') == std::string_view::npos) return false;
  std::vector<std::string> inner = split(segment, '/');
  return std::find(inner.begin(), inner.end(), "..") != inner.end();
}

}  // namespace

std::optional<Target> parse_target(std::string_view target) {
  if (target.starts_with("http://") || target.starts_with("https://")) {  // absolute-form
    size_t slash = target.find('/', target.find("//") + 2);
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  if (!target.starts_with('/')) return std::nullopt;
  target = target.substr(0, target.find('#'));
  size_t mark = target.find('?');
  Target out;
  for (const std::string& raw : split(target.substr(1, mark == std::string_view::npos ? mark : mark - 1), '/')) {
    std::string segment = percent_decode(raw);
    if (segment.find('\0') != std::string::npos || has_dot_dot(segment)) return std::nullopt;
    out.path += "/" + segment;
    out.segments.push_back(std::move(segment));
  }
  if (mark == std::string_view::npos || mark + 1 == target.size()) return out;
  for (const std::string& pair : split(target.substr(mark + 1), '&')) {
    if (pair.empty()) continue;
    if (out.query.size() == kMaxQueryPairs) return std::nullopt;
    size_t equals = std::min(pair.find('='), pair.size());
    out.query.emplace_back(decode_query(pair.substr(0, equals)),
                           equals < pair.size() ? decode_query(pair.substr(equals + 1)) : "");
  }
  return out;
}

Router::Router(std::vector<Route> routes) {
  for (Route& route : routes) {
    std::vector<Segment> pattern = compile(route.pattern);
    routes_.push_back({std::move(route), std::move(pattern)});
  }
  std::stable_sort(routes_.begin(), routes_.end(), more_specific);
}

std::vector<Router::Segment> Router::compile(const std::string& pattern) {
  auto bad = [&](const char* cause) {
    return Error(ErrorKind::usage, "not a usable route pattern", pattern).because(cause);
  };
  if (!pattern.starts_with('/')) throw bad("it does not begin with `/`");
  std::vector<Segment> out;
  int open_ended = 0;
  std::vector<std::string> parts = split(std::string_view(pattern).substr(1), '/');
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string& part = parts[i];
    Kind kind = part == "{}" ? Kind::one : part == "{+}" ? Kind::some : part == "{*}" ? Kind::rest : Kind::literal;
    if (kind == Kind::rest && i + 1 != parts.size()) throw bad("`{*}` is not its last segment");
    if (kind == Kind::literal && part.find_first_of("{}") != std::string::npos) throw bad("a stray brace");
    open_ended += kind == Kind::some || kind == Kind::rest;
    out.push_back({kind, part});
  }
  // With one segment of open length its extent follows from the others: matching needs no search.
  if (open_ended > 1) throw bad("more than one of `{+}` and `{*}`");
  return out;
}

bool Router::more_specific(const Compiled& a, const Compiled& b) {
  size_t common = std::min(a.pattern.size(), b.pattern.size());
  for (size_t i = 0; i < common; ++i) {
    if (a.pattern[i].kind != b.pattern[i].kind) return a.pattern[i].kind < b.pattern[i].kind;
  }
  return a.pattern.size() > b.pattern.size();
}

bool Router::matches(const std::vector<Segment>& pattern, const std::vector<std::string>& segments,
                     std::vector<std::string>* captures) {
  size_t at = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    size_t after = pattern.size() - i - 1;
    if (at + after > segments.size()) return false;
    size_t left = segments.size() - at - after;
    switch (pattern[i].kind) {
      case Kind::literal:
        if (left == 0 || segments[at] != pattern[i].text) return false;
        ++at;
        break;
      case Kind::one:
        // A segment never grows into a path by an encoded slash.
        if (left == 0 || segments[at].empty() || segments[at].find('/') != std::string::npos) return false;
        captures->push_back(segments[at++]);
        break;
      case Kind::some:
      case Kind::rest:
        if (left == 0) return false;
        captures->push_back(join_range(segments, at, at + left));
        if (pattern[i].kind == Kind::some && captures->back().empty()) return false;
        at += left;
        break;
    }
  }
  return at == segments.size();
}

Router::Match Router::match(std::string_view method, const std::vector<std::string>& segments) const {
  Match match;
  std::vector<std::string> allowed;
  for (const Compiled& candidate : routes_) {
    match.captures.clear();
    if (!matches(candidate.pattern, segments, &match.captures)) continue;
    const std::string& serves = candidate.route.method;
    if (serves == method || (method == "HEAD" && serves == "GET")) {
      match.route = &candidate.route;
      return match;
    }
    allowed.push_back(serves);
    if (serves == "GET") allowed.push_back("HEAD");
  }
  std::sort(allowed.begin(), allowed.end());
  allowed.erase(std::unique(allowed.begin(), allowed.end()), allowed.end());
  match.allow = join(allowed, ", ");
  return match;
}

}  // namespace dae
