#include "resolver/lock/scopes.h"

#include <fmt/format.h>

#include <map>

#include "base/strings.h"
#include "resolver/lock/target_markers.h"

namespace dae::resolver {

namespace {

constexpr std::string_view kExtra = "extra:", kGroup = "group:";

std::string parenthesised(const std::string& text) {
  return text.find(" or ") == std::string::npos ? text : "(" + text + ")";
}

std::string both(const std::string& a, const std::string& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  return parenthesised(a) + " and " + parenthesised(b);
}

// For `chosen`; it may hold on `covered` targets too, where that is shorter or the only way.
std::optional<std::string> shortest_marker(const std::vector<Target>& targets, const std::vector<bool>& chosen,
                                           const std::vector<bool>& covered) {
  std::vector<bool> wide = chosen;
  for (size_t i = 0; i < wide.size(); ++i) wide[i] = wide[i] || covered[i];
  auto exact = distinguishing_marker(targets, chosen);
  auto wider = wide == chosen ? std::nullopt : distinguishing_marker(targets, wide);
  if (!exact || (wider && wider->size() < exact->size())) return wider ? wider : exact;
  return exact;
}

}  // namespace

std::string scope_expression(const Scopes& scopes) {
  std::vector<std::string> parts;
  if (scopes.count("") != 0) return "";
  for (const std::string& scope : scopes) {
    if (scope.starts_with(kExtra)) parts.push_back(fmt::format("'{}' in extras", scope.substr(kExtra.size())));
  }
  for (const std::string& scope : scopes) {
    if (scope.starts_with(kGroup)) {
      parts.push_back(fmt::format("'{}' in dependency_groups", scope.substr(kGroup.size())));
    }
  }
  return join(parts, " or ");
}

std::optional<std::string> scope_marker(const std::vector<Target>& targets, const std::vector<Scopes>& scopes) {
  const size_t count = targets.size();
  std::vector<bool> base(count);
  std::map<std::string, std::vector<bool>> wanted;  // scope -> targets where it alone brings the package
  for (size_t i = 0; i < count; ++i) {
    base[i] = scopes[i].count("") != 0;
    for (const std::string& scope : scopes[i]) {
      if (base[i]) break;
      auto& where = wanted[scope];
      where.resize(count);
      where[i] = true;
    }
  }
  std::vector<std::string> terms;
  bool in_base = false;
  for (const bool there : base) in_base = in_base || there;
  if (in_base) {
    auto marker = distinguishing_marker(targets, base);
    if (!marker || marker->empty()) return marker;
    terms.push_back(*std::move(marker));
  }
  std::map<std::vector<bool>, Scopes, std::greater<>> grouped;  // those of the first targets first
  for (const auto& [scope, where] : wanted) grouped[where].insert(scope);
  for (const auto& [where, who] : grouped) {
    const auto marker = shortest_marker(targets, where, base);
    if (!marker) return std::nullopt;
    terms.push_back(both(*marker, scope_expression(who)));
  }
  return join(terms, " or ");
}

}  // namespace dae::resolver
