#pragma once
// Which route answers a path. Internal to the HTTP server; immutable after construction, so any thread may ask.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/http_server.h"

namespace dae {

// A request target taken apart (RFC 9112 section 3.2).
struct Target {
  std::string path;                   // decoded
  std::vector<std::string> segments;  // decoded one by one: a "%2F" stays inside its segment
  std::vector<std::pair<std::string, std::string>> query;
};
// Nullopt for what no route may see: NUL, a ".." segment (also when encoded), a target that is no path.
std::optional<Target> parse_target(std::string_view target);

class Router {
 public:
  // Throws Error usage for a pattern that cannot work.
  explicit Router(std::vector<Route> routes);

  struct Match {
    const Route* route = nullptr;
    std::vector<std::string> captures;
    std::string allow;  // without a route: the methods that would have matched; "" is 404
  };
  Match match(std::string_view method, const std::vector<std::string>& segments) const;

 private:
  enum class Kind { literal, one, some, rest };  // in order of preference
  struct Segment {
    Kind kind;
    std::string text;
  };
  struct Compiled {
    Route route;
    std::vector<Segment> pattern;
  };
  static std::vector<Segment> compile(const std::string& pattern);
  static bool more_specific(const Compiled& a, const Compiled& b);
  static bool matches(const std::vector<Segment>& pattern, const std::vector<std::string>& segments,
                      std::vector<std::string>* captures);

  std::vector<Compiled> routes_;  // most specific first
};

}  // namespace dae
