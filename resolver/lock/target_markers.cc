#include "resolver/lock/target_markers.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "resolver/standards/marker_algebra.h"
#include "resolver/standards/version.h"

namespace dae::resolver {

namespace {

// Everything but the python version; one value for targets that differ in nothing a marker can see.
std::string platform_marker(const Target& target) {
  const MarkerEnvironment environment = target.markers();
  std::vector<std::string> parts;
  for (const char* name : {"sys_platform", "platform_machine", "implementation_name"}) {
    parts.push_back(fmt::format("{} == '{}'", name, environment.get(name)));
  }
  return join(parts, " and ");
}

// Only what differs among the targets.
std::string short_platform_marker(const std::vector<Target>& targets, const Target& target) {
  const MarkerEnvironment environment = target.markers();
  std::vector<std::string> parts;
  for (const char* name : {"sys_platform", "platform_machine", "implementation_name"}) {
    const bool varies = std::any_of(targets.begin(), targets.end(),
                                    [&](const Target& t) { return t.markers().get(name) != environment.get(name); });
    if (varies) parts.push_back(fmt::format("{} == '{}'", name, environment.get(name)));
  }
  return join(parts, " and ");
}

bool older(const std::string& a, const std::string& b) {
  return Version::parse(a) < Version::parse(b);
}

// `some` of `all` pythons, both ascending: ranges where they are at an end of the list, else one by one.
std::string python_marker(const std::vector<std::string>& all, const std::vector<std::string>& some) {
  if (some.size() == all.size()) return "";
  if (std::equal(some.begin(), some.end(), all.begin())) {
    return fmt::format("python_version < '{}'", all[some.size()]);
  }
  if (std::equal(some.rbegin(), some.rend(), all.rbegin())) return fmt::format("python_version >= '{}'", some.front());
  std::vector<std::string> parts;
  for (const std::string& python : some) parts.push_back(fmt::format("python_version == '{}'", python));
  return join(parts, " or ");
}

std::string both(const std::string& platform, const std::string& python) {
  if (platform.empty()) return python;
  if (python.empty()) return platform;
  return platform + " and " + (python.find(" or ") == std::string::npos ? python : "(" + python + ")");
}

std::vector<std::string> sorted_pythons(const std::set<std::string>& pythons) {
  std::vector<std::string> out(pythons.begin(), pythons.end());
  std::sort(out.begin(), out.end(), older);
  return out;
}

std::string full_marker(const Target& target) {
  return both(platform_marker(target), fmt::format("python_version == '{}'", target.python_version));
}

bool tells_apart(const std::string& text, const std::vector<Target>& targets, const std::vector<bool>& chosen) {
  const Marker marker = Marker::parse(text);
  for (size_t i = 0; i < targets.size(); ++i) {
    if (marker.evaluate(targets[i].markers()) != chosen[i]) return false;
  }
  return true;
}

// What the algebra finds where there are nothing but these targets: "sys_platform == 'linux'" for two machines of
// three.
std::string simplified(const std::vector<Target>& targets, const std::vector<bool>& chosen, const std::string& found) {
  MarkerAlgebra algebra;
  auto wanted = MarkerAlgebra::nothing(), all = MarkerAlgebra::nothing();
  for (size_t i = 0; i < targets.size(); ++i) {
    const auto one = algebra.of(Marker::parse(full_marker(targets[i])));
    all = algebra.either(all, one);
    if (chosen[i]) wanted = algebra.either(wanted, one);
  }
  const auto marker = algebra.marker(wanted, all);
  const std::string text = marker ? replace_all(marker->text(), "\"", "'") : "";
  return !text.empty() && text.size() < found.size() && tells_apart(text, targets, chosen) ? text : found;
}

}  // namespace

std::vector<std::string> environment_markers(const std::vector<Target>& targets) {
  std::vector<std::string> out;
  for (const Target& target : targets) {
    const std::string marker = full_marker(target);
    if (std::find(out.begin(), out.end(), marker) == out.end()) out.push_back(marker);
  }
  return out;
}

std::optional<std::string> distinguishing_marker(const std::vector<Target>& targets, const std::vector<bool>& chosen) {
  std::vector<std::string> platforms;  // in the order of the targets
  std::set<std::string> all_pythons;
  std::set<std::pair<std::string, std::string>> inside, outside;
  for (size_t i = 0; i < targets.size(); ++i) {
    const std::string platform = short_platform_marker(targets, targets[i]);
    if (std::find(platforms.begin(), platforms.end(), platform) == platforms.end()) platforms.push_back(platform);
    all_pythons.insert(targets[i].python_version);
    (chosen[i] ? inside : outside).insert({platform, targets[i].python_version});
  }
  if (outside.empty()) return "";
  for (const auto& cell : inside) {
    if (outside.count(cell) != 0) return std::nullopt;
  }
  const auto matches = [&](const std::set<std::string>& some_platforms, const std::set<std::string>& some_pythons) {
    const auto covered = [&](const auto& cell) {
      return some_platforms.count(cell.first) != 0 && some_pythons.count(cell.second) != 0;
    };
    return std::all_of(inside.begin(), inside.end(), covered) && std::none_of(outside.begin(), outside.end(), covered);
  };
  std::set<std::string> some_platforms, some_pythons;
  for (const auto& [platform, python] : inside) {
    some_platforms.insert(platform);
    some_pythons.insert(python);
  }
  const std::set<std::string> every_platform(platforms.begin(), platforms.end());
  const std::vector<std::string> ascending = sorted_pythons(all_pythons);
  if (matches(every_platform, some_pythons)) return python_marker(ascending, sorted_pythons(some_pythons));
  std::vector<std::string> parts;
  const bool platforms_suffice = matches(some_platforms, all_pythons);
  for (const std::string& platform : platforms) {
    std::set<std::string> here, declared;
    for (const auto& [p, python] : inside) {
      if (p == platform) here.insert(python);
    }
    for (const Target& target : targets) {
      if (short_platform_marker(targets, target) == platform) declared.insert(target.python_version);
    }
    if (here.empty()) continue;
    parts.push_back(platforms_suffice ? platform
                                      : both(platform, python_marker(sorted_pythons(declared), sorted_pythons(here))));
  }
  return simplified(targets, chosen, join(parts, " or "));
}

}  // namespace dae::resolver
