// Answers questions about the packaging standards, one line in, one line out, for packaging_diff.py. Fields of a
// question are separated by tabs. An answer is the asked value, or "error" where the text is refused.
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/standards/marker.h"
#include "resolver/standards/marker_algebra.h"
#include "resolver/standards/names.h"
#include "resolver/standards/requirement.h"
#include "resolver/standards/specifier.h"
#include "resolver/standards/tags.h"
#include "resolver/standards/version.h"

namespace {

using namespace dae;
using namespace dae::resolver;
using Fields = std::vector<std::string>;

std::string yes_no(bool value) {
  return value ? "yes" : "no";
}

std::string compare_versions(const Fields& in) {
  const Version a = Version::parse(in.at(1)), b = Version::parse(in.at(2));
  const auto order = a <=> b;
  if (order == 0 && a.hash() != b.hash()) return "equal, but the hashes differ";
  return order < 0 ? "<" : order > 0 ? ">" : "=";
}

std::string describe_version(const Fields& in) {
  const Version version = Version::parse(in.at(1));
  return version.text() + " " + yes_no(version.is_prerelease()) + " " + yes_no(version.is_postrelease()) + " " +
         version.without_local().text();
}

std::string spec_contains(const Fields& in) {
  return yes_no(SpecifierSet::parse(in.at(1)).contains(Version::parse(in.at(2)), trim(in.at(2))));
}

std::string spec_text(const Fields& in) {
  const SpecifierSet set = SpecifierSet::parse(in.at(1));
  return set.text() + " " + yes_no(set.mentions_prerelease());
}

// in[1]: "name=value" pairs separated by '|'; in[2]: extras, in[3]: groups, each separated by ','.
std::string marker_evaluate(const Fields& in) {
  MarkerEnvironment environment;
  for (const std::string& pair : split(in.at(1), '|')) {
    const size_t equals = pair.find('=');
    environment.values[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  std::set<std::string> sets[2];
  for (size_t i = 0; i < 2; ++i) {
    for (const std::string& name : split(in.at(i + 2), ',')) {
      if (!name.empty()) sets[i].insert(name);
    }
  }
  const Marker marker = Marker::parse(in.at(4));
  const bool answer = marker.evaluate(environment, sets[0], sets[1]);
  if (Marker::parse(marker.text()).evaluate(environment, sets[0], sets[1]) != answer) {
    return "the canonical text means something else: " + marker.text();
  }
  return yes_no(answer);
}

// in[3]: what is taken as given, in[4]: the marker.
std::string marker_simplify(const Fields& in) {
  return simplify(Marker::parse(in.at(4)), Marker::parse(in.at(3))).text();
}

std::string marker_negate(const Fields& in) {
  const auto out = negation(Marker::parse(in.at(3)));
  return out ? out->text() : "none";
}

std::string requirement_parts(const Fields& in) {
  const Requirement requirement = Requirement::parse(in.at(1));
  return requirement.key + "|" + join(requirement.extras, ",") + "|" + requirement.specifiers.text() + "|" +
         requirement.url + "|" + requirement.marker.text();
}

std::string target_tags(const Fields& in) {
  Target target;
  target.python_version = in.at(1);
  target.platform = in.at(2);
  target.free_threaded = in.at(3) == "t";
  if (in.at(3) == "pypy") target.implementation = "pypy";
  return join(TagSet(target).tags(), " ");
}

std::string wheel_name(const Fields& in) {
  const auto wheel = parse_wheel_name(in.at(1));
  if (!wheel) return "error";
  const std::set<std::string> tags(wheel->tags.begin(), wheel->tags.end());
  const auto [number, rest] = wheel->build_order();
  const std::string build = number < 0 ? "" : std::to_string(number) + rest;
  return wheel->distribution + " " + wheel->version.text() + " " + build + " " + join({tags.begin(), tags.end()}, ",");
}

std::string sdist_name(const Fields& in) {
  const auto sdist = parse_sdist_name(in.at(1));
  return sdist ? sdist->distribution + " " + sdist->version.text() : "error";
}

std::string name_of(const Fields& in) {
  return yes_no(is_valid_name(in.at(1))) + " " + normalize_name(in.at(1));
}

const std::map<std::string, std::function<std::string(const Fields&)>> kQuestions = {
    {"version cmp", compare_versions},
    {"version text", describe_version},
    {"spec contains", spec_contains},
    {"spec text", spec_text},
    {"marker eval", marker_evaluate},
    {"marker simplify", marker_simplify},
    {"marker negate", marker_negate},
    {"req parse", requirement_parts},
    {"tags", target_tags},
    {"wheel", wheel_name},
    {"sdist", sdist_name},
    {"name", name_of}};

std::string answer(const std::string& line) {
  const Fields fields = split(line, '\t');
  const auto question = kQuestions.find(fields.front());
  if (question == kQuestions.end()) return "unknown question";
  try {
    return question->second(fields);
  } catch (const Error&) {
    return "error";
  }
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) std::cout << answer(line) << '\n';
  return 0;
}
