// The packse scenarios (kept outside the repository: ../shared/data/packse, or $DAE_PACKSE_DIR), each solved for one
// target, compared with what they expect. Deviations are listed here, with their reasons.
#include <gtest/gtest.h>

#include "base/strings.h"
#include "base/value.h"
#include "memory_provider.h"

namespace dae::resolver {
namespace {

// Universal resolution: one answer for all platforms at once. We solve each declared target by itself.
constexpr const char* kUniversal = "needs universal resolution";
// PEP 440 and pip take Requires-Python as it stands; these scenarios ignore its upper bounds.
constexpr const char* kUpperBound = "ignores upper bounds of Requires-Python";
// Written before PEP 440's fall-back to pre-releases was taken up by pip 26.0 and uv 0.12.
constexpr const char* kOldPrereleases = "predates the fall-back to pre-releases";
// Written after uv 0.12 stopped to care whether the user names a pre-release; pip does care.
constexpr const char* kNamedPrerelease = "a root that names a pre-release asks for pre-releases";

// The lowest versions of each fork of a universal resolution.
constexpr const char* kLowest = "asks for the lowest versions of several forks";

struct Deviation {
  const char* reason;
  bool in_all_copies;  // the scenarios exist in an older and a newer form
  std::vector<std::string> names;
};

const std::vector<Deviation>& deviations() {
  static const std::vector<Deviation> list = {
      {kUniversal,
       true,
       {"fork-non-local-fork-marker-direct", "fork-non-local-fork-marker-transitive",
        "preferences-dependent-forking-conflicting", "specific-architecture", "lock-without-metadata"}},
      {kUpperBound, true, {"python-less-than-current"}},
      {kLowest, true, {"lowest-direct-fork-max-python", "lowest-fork-max-python", "lowest-fork-min-python"}},
      {kOldPrereleases,
       false,
       {"package-only-prereleases-in-range", "transitive-package-only-prereleases-in-range",
        "transitive-prerelease-and-stable-dependency", "transitive-prerelease-and-stable-dependency-many-versions",
        "transitive-prerelease-and-stable-dependency-many-versions-holes"}},
      {kNamedPrerelease,
       false,
       {"package-prerelease-specified-mixed-available", "package-prereleases-specifier-boundary",
        "prerelease-base-extra-stable-preference-explicit-first", "prerelease-base-extra-stable-preference-plain-first",
        "prerelease-equivalent-stable-preference-explicit-first", "prerelease-equivalent-stable-preference-plain-first",
        "prerelease-extra-stable-preference", "prerelease-multiple-redundant-stable-preference-explicit-first",
        "prerelease-multiple-redundant-stable-preference", "prerelease-redundant-stable-preference-explicit-first",
        "prerelease-redundant-stable-preference-plain-first"}},
  };
  return list;
}

Target target_of(const Value& scenario) {
  Target target;
  std::string python = "3.12";
  if (const Value* environment = scenario.find("environment")) python = environment->get_string("python", python);
  const Value* options = scenario.find("resolver_options");
  if (options != nullptr) python = options->get_string("python", python);
  const std::vector<std::string> parts = split(python, '.');
  target.python_version = parts[0] + "." + parts[1];
  target.python_full_version = parts.size() > 2 ? python : python + ".0";
  target.platform = "manylinux_2_17_x86_64";
  return target;
}

bool listed(const Value* options, const char* key, const std::string& name) {
  if (options == nullptr) return false;
  const std::vector<std::string> names = options->get_strings(key);
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool has_usable_file(const Value& scenario, const std::string& name, const std::string& version, const Value& entry,
                     const TagSet& tags) {
  const Value* options = scenario.find("resolver_options");
  if (entry.get_bool("sdist", true) && !listed(options, "no_build", name)) return true;
  if (!entry.get_bool("wheel", true) || listed(options, "no_binary", name)) return false;
  std::vector<std::string> wheel_tags = entry.get_strings("wheel_tags");
  if (wheel_tags.empty()) wheel_tags = {"py3-none-any"};
  return std::any_of(wheel_tags.begin(), wheel_tags.end(), [&](const std::string& tag) {
    const auto wheel = parse_wheel_name(replace_all(name, "-", "_") + "-" + version + "-" + tag + ".whl");
    return wheel && tags.rank(*wheel) >= 0;
  });
}

void fill(MemoryProvider& provider, const Value& scenario, const Target& target) {
  const TagSet tags(target);
  const Value* packages = scenario.find("packages");
  if (packages == nullptr) return;
  for (const auto& [name, package] : packages->as_object()) {
    for (const auto& [version, entry] : package.at("versions").as_object()) {
      if (!has_usable_file(scenario, name, version, entry, tags)) continue;
      const std::string python = entry.get_string("requires_python");
      if (!python.empty() && !SpecifierSet::parse(python).contains(Version::parse(target.python_full_version))) {
        provider.add_unusable(name, version, "needs python " + python);
        continue;
      }
      std::vector<std::string> needs = entry.get_strings("requires");
      if (const Value* extras = entry.find("extras")) {
        for (const auto& [extra, list] : extras->as_object()) {
          for (const Value& need : list.as_array()) {
            const std::string& text = need.as_string();
            const size_t marker = text.find(';');
            needs.push_back(text.substr(0, marker) + "; extra == '" + normalize_name(extra) + "'" +
                            (marker == std::string::npos ? "" : " and (" + text.substr(marker + 1) + ")"));
          }
        }
      }
      provider.add(name, version, needs);
      if (entry.get_bool("yanked")) provider.add_yanked(name, version);
    }
  }
}

// "" when the outcome is as expected, else what is wrong.
std::string mismatch(const Value& scenario) {
  const Target target = target_of(scenario);
  MemoryProvider provider;
  fill(provider, scenario, target);
  SolveRequest request = request_of(scenario.at("root").get_strings("requires"));
  request.target = target;
  const Value* options = scenario.find("resolver_options");
  if (options != nullptr && options->get_bool("prereleases")) request.prereleases = PrereleaseMode::allow;
  const auto outcome = solve(request, provider);
  const Value& expected = scenario.at("expected");
  const auto* resolution = std::get_if<Resolution>(&outcome);
  if ((resolution != nullptr) != expected.at("satisfiable").as_bool()) return outcome_text(outcome);
  const Value* packages = expected.find("packages");
  if (packages == nullptr) return "";
  std::string wanted;
  std::map<std::string, std::string> sorted;
  for (const auto& [name, version] : packages->as_object()) sorted[name] = Version::parse(version.as_string()).text();
  for (const auto& [name, version] : sorted) wanted += (wanted.empty() ? "" : ", ") + name + " " + version;
  return outcome_text(outcome) == wanted ? "" : "expected " + wanted + "; got " + outcome_text(outcome);
}

const Deviation* deviation_of(const std::string& name) {
  for (const Deviation& deviation : deviations()) {
    if (std::find(deviation.names.begin(), deviation.names.end(), name) != deviation.names.end()) return &deviation;
  }
  return nullptr;
}

TEST(SolverPackse, EveryScenarioOfOneTargetEndsAsExpected) {
  const Path dir = env_var("DAE_PACKSE_DIR")
                       .value_or((Path(DAE_SOURCE_DIR) / ".." / "shared" / "data" / "packse" / "scenarios").string());
  if (!exists(dir)) GTEST_SKIP() << "no packse scenarios at " << dir;
  int passed = 0, differing = 0;
  for (const WalkEntry& entry : walk_tree(dir)) {
    if (!entry.info.is_file() || entry.path.extension() != ".toml") continue;
    const Value scenario = read_toml_file(entry.path).root;
    const std::string name = scenario.get_string("name");
    const std::string wrong = mismatch(scenario);
    const Deviation* deviation = deviation_of(name);
    if (wrong.empty()) {
      ++passed;
      EXPECT_FALSE(deviation != nullptr && deviation->in_all_copies) << name << " passes: take it off the list";
    } else if (deviation != nullptr) {
      ++differing;
    } else {
      ADD_FAILURE() << entry.relative << " (" << name << "): " << wrong;
    }
  }
  EXPECT_GT(passed, 0);
  RecordProperty("passed", passed);
  std::printf("packse: %d as expected, %d listed deviations\n", passed, differing);
}

}  // namespace
}  // namespace dae::resolver
