// Feeds mutated versions, specifiers, requirements and markers to what calculates with them, and holds the results to
// properties: a version written longer is the same version, repairing leaves alone what needs no repair, and the
// algebra of markers agrees with evaluating them. The sequence depends on the seed only:
//   marker_fuzz <iterations> [seed]
#include <cstdio>
#include <cstdlib>
#include <random>

#include "base/error.h"
#include "resolver/standards/marker_algebra.h"
#include "resolver/standards/requirement.h"
#include "resolver/standards/tags.h"

namespace {

using namespace dae;
using namespace dae::resolver;

const std::vector<std::string> kVersions = {"1.0",      "1!2.3.4.5.6rc1.post2.dev3+ubuntu.1",
                                            "v1.0-1",   "2024.10.1a",
                                            "1.0.dev",  "16383.2047.1023.511.post32767",
                                            "3.9.0rc1", "0",
                                            "3.11.7",   "18446744073709551615"};
const std::vector<std::string> kSpecifiers = {
    ">=1.0,<2.0,!=1.5.*", "~=1.4.5a4", "===some-thing", "==1.0+local", ">=3.6.*", ">= 2.7 <3", "!=~5.0",
    "<3.0.post1",         ">1.0.dev1", "!=3.0*",        ">2.6'",       "== 1!2.*"};
const std::vector<std::string> kComparisons = {"python_version >= '3.8'",
                                               "python_version in '3.8 3.9'",
                                               "python_version < '3.10rc1'",
                                               "python_version ~= '3.9'",
                                               "python_version == '3.*'",
                                               "'3.9' > python_version",
                                               "python_full_version <= '3.9.1'",
                                               "python_full_version != '3.9.1.*'",
                                               "python_full_version > '3.9.0a1'",
                                               "python_full_version === '3.9.1'",
                                               "implementation_version ~= '3.9.1'",
                                               "sys_platform == 'linux'",
                                               "sys_platform in 'linux win32'",
                                               "'nux' not in sys_platform",
                                               "os_name >= 'nt'",
                                               "os_name == sys_platform",
                                               "platform_release >= '5.10'",
                                               "platform_release == 'generic'",
                                               "extra == 'x'",
                                               "'y' != extra",
                                               "'x' in extras",
                                               "'y' not in dependency_groups"};
const std::vector<std::string> kTokens = {"==",
                                          ">=",
                                          "<",
                                          "!=",
                                          "~=",
                                          "===",
                                          " in ",
                                          " not in ",
                                          ".*",
                                          "+",
                                          "!",
                                          ".post1",
                                          ".dev0",
                                          "rc1",
                                          "0",
                                          "9",
                                          "1",
                                          ".",
                                          "3.9",
                                          " and ",
                                          " or ",
                                          "(",
                                          ")",
                                          ",",
                                          "'",
                                          "\"",
                                          " ",
                                          "*",
                                          "extra",
                                          "python_version",
                                          "18446744073709551615",
                                          "\x80",
                                          "-"};

using Random = std::mt19937_64;

size_t below(Random& random, size_t limit) {
  return static_cast<size_t>(random() % limit);
}
const std::string& pick(Random& random, const std::vector<std::string>& from) {
  return from[below(random, from.size())];
}

std::string mutated(Random& random, std::string text, size_t most) {
  for (size_t edits = below(random, most + 1); edits > 0; --edits) {
    const size_t at = below(random, text.size() + 1);
    switch (below(random, 4)) {
      case 0:
        text.insert(at, pick(random, kTokens));
        break;
      case 1:
        text.erase(at, 1 + below(random, 3));
        break;
      case 2:
        if (at < text.size()) text[at] = static_cast<char>(below(random, 256));
        break;
      default:
        text.insert(at, text.substr(below(random, text.size() + 1), below(random, 8)));
    }
  }
  return text;
}

std::string some_marker(Random& random, int depth = 0) {
  std::string out;
  for (size_t i = 0, size = 1 + below(random, 4); i < size; ++i) {
    if (i > 0) out += below(random, 2) ? " and " : " or ";
    out += depth < 3 && below(random, 3) == 0
               ? "(" + some_marker(random, depth + 1) + ")"
               : mutated(random, pick(random, kComparisons), below(random, 4) == 0 ? 2 : 0);
  }
  return out;
}

[[noreturn]] void fail(const char* what, const std::string& a, const std::string& b, const std::string& detail) {
  std::fprintf(stderr, "%s: %s\na: %s\nb: %s\n", what, detail.c_str(), a.c_str(), b.c_str());
  std::exit(1);
}

// The same version with zeros appended to its release: held in the other form of the two, if it was in the short one.
Version longer(const Version& version) {
  const std::string base = version.base_text();
  return Version::parse(base + ".0.0.0.0" + version.text().substr(base.size()));
}

void check_versions(const std::string& text, const std::string& specifiers) {
  const auto version = Version::try_parse(text);
  if (!version) return;
  const Version same = longer(*version);
  if (same != *version || same.hash() != version->hash()) fail("version", text, same.text(), "not equal when longer");
  if (Version::parse(version->text()) != *version) fail("version", text, version->text(), "changed by writing it");
  const auto set = SpecifierSet::try_parse(specifiers);
  const auto legacy = SpecifierSet::try_parse_legacy(specifiers);
  if (set && (!legacy || legacy->text() != set->text())) fail("specifier", specifiers, "", "repaired without need");
  if (!legacy) return;
  if (!SpecifierSet::try_parse(legacy->text())) fail("specifier", specifiers, legacy->text(), "repaired to nonsense");
  for (const Specifier& part : legacy->parts()) {
    if (part.op == SpecifierOp::arbitrary) continue;
    if (part.contains(*version) != part.contains(same)) fail("specifier", text, part.text(), "depends on zeros");
  }
}

void check_requirement(const std::string& text) {
  std::optional<Requirement> strict;
  try {
    strict = Requirement::parse(text);
  } catch (const Error&) {
  }
  const auto legacy = Requirement::try_parse_legacy(text);
  if (strict && (!legacy || legacy->text() != strict->text())) fail("requirement", text, "", "repaired without need");
  if (legacy && Requirement::parse(legacy->text()).text() != legacy->text()) {
    fail("requirement", text, legacy->text(), "changed by writing it");
  }
}

struct Inputs {
  MarkerEnvironment environment;
  std::set<std::string> extras, groups;
};

Inputs some_inputs(Random& random) {
  static const std::vector<std::string> fulls = {"3.7.9",    "3.8.0rc1", "3.8.10", "3.9.0a1", "3.9.0",
                                                 "3.9.1rc1", "3.9.1",    "3.9.1+", "3.9.2",   "3.10.0rc1",
                                                 "3.10.2",   "3.11.4",   "4.0.0",  "0.9.0",   "39.1.0"};
  static const std::vector<std::string> platforms = {"linux", "win32", "darwin", "nt", ""};
  static const std::vector<std::string> systems = {"posix", "nt", "linux"};
  static const std::vector<std::string> releases = {"5.10", "4.19", "generic", "5", ""};
  Inputs out;
  const std::string full = pick(random, fulls);
  out.environment.values = {{"python_full_version", full},
                            {"python_version", full.substr(0, full.find('.', full.find('.') + 1))},
                            {"implementation_version", pick(random, fulls)},
                            {"sys_platform", pick(random, platforms)},
                            {"os_name", pick(random, systems)},
                            {"platform_release", pick(random, releases)}};
  for (const char* name : {"x", "y"}) {
    if (below(random, 2)) out.extras.insert(name);
    if (below(random, 2)) out.groups.insert(name);
  }
  return out;
}

void check_markers(Random& random, const std::string& text_a, const std::string& text_b) {
  std::optional<Marker> a, b;
  try {
    a = Marker::parse(text_a);
    b = Marker::parse(text_b);
  } catch (const Error&) {
    return;
  }
  const Marker simple = simplify(*a), given = simplify(*a, *b);
  const auto opposite = negation(*a);
  const bool apart = are_disjoint(*a, *b), inside = implies(*a, *b);
  for (const Marker& made : {simple, given, opposite.value_or(Marker())}) {
    if (!made.always() && Marker::parse(made.text()).text() != made.text()) fail("marker", text_a, text_b, made.text());
  }
  for (int i = 0; i < 12; ++i) {
    const Inputs in = some_inputs(random);
    const auto holds = [&](const Marker& marker) { return marker.evaluate(in.environment, in.extras, in.groups); };
    const bool in_a = holds(*a), in_b = holds(*b);
    const std::string place(in.environment.get("python_full_version"));
    if (holds(simple) != in_a) fail("simplify", text_a, "", simple.text() + " for " + place);
    if (in_b && holds(given) != in_a) fail("simplify under", text_a, text_b, given.text() + " for " + place);
    if (opposite && holds(*opposite) == in_a) fail("negation", text_a, "", opposite->text() + " for " + place);
    if (apart && in_a && in_b) fail("disjoint", text_a, text_b, "for " + place);
    if (inside && in_a && !in_b) fail("implies", text_a, text_b, "for " + place);
  }
}

void check_target(const std::string& python, const std::string& platform) {
  try {
    const Target target = declared_target(python, platform);
    const TagSet set(target);
    if (set.rank(std::string_view("py3-none-any")) < 0) fail("target", python, platform, "takes no pure wheel");
    target.markers();
  } catch (const Error&) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long iterations = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 10000;
  Random random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 20260101);
  static const std::vector<std::string> platforms = {"manylinux_2_36_x86_64",
                                                     "musllinux_1_2_aarch64",
                                                     "linux_armv8l",
                                                     "macosx_14_0_arm64",
                                                     "macosx_10_9_x86_64",
                                                     "win_amd64",
                                                     "win32"};
  for (long i = 0; i < iterations; ++i) {
    const std::string specifiers = mutated(random, pick(random, kSpecifiers) + "," + pick(random, kSpecifiers), 3);
    check_versions(mutated(random, pick(random, kVersions), 3), specifiers);
    const std::string marker = some_marker(random);
    check_requirement(mutated(random, "Foo.bar[x,Y_z] " + specifiers + (below(random, 2) ? "; " + marker : ""), 1));
    check_markers(random, marker, some_marker(random));
    check_target(mutated(random, below(random, 2) ? "3.13t" : "pypy3.11", 2),
                 mutated(random, pick(random, platforms), 2));
  }
  std::printf("%ld inputs, nothing found\n", iterations);
  return 0;
}
