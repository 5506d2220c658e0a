#pragma once
// Why there is no solution, in as few lines as possible.
#include "resolver/solver/universe.h"

namespace dae::resolver {

// The facts a contradiction was derived from, thinned out until each of them is needed. Ascending.
std::vector<uint32_t> needed_facts(const Engine& engine, IncompatibilityId contradiction);

// Why a version cannot be used, or a package has none, in a trial that may not look: not true of the package.
inline constexpr const char* kNotLookedAt = "not looked at";

// What a conflict rests on: where to look for changes that help.
struct Clues {
  bool unseen = false;                         // something was not looked at: see kNotLookedAt
  std::vector<size_t> constraints, overrides;  // of the request, ascending
  std::set<std::string> prereleases;           // packages of which pre-releases are ruled out
  std::set<std::string> requires_pythons;      // which the target does not meet
  // Versions that the cutoff hides, with the time of their upload: the oldest of each package.
  std::map<std::string, std::pair<Version, int64_t>> hidden;
  // What the search has read: looking at it again costs no download and no build.
  std::set<std::string> read_packages;
  std::set<std::pair<std::string, std::string>> read_sdists;  // with the version's text
};

struct Explanation {
  Conflict conflict;
  std::vector<std::string> involved_roots;
  Clues clues;
  int64_t steps = 0;  // it took to find
};

Explanation explain(const SolveRequest& request, Provider& provider, const Universe& universe,
                    const std::vector<uint32_t>& facts);

// The answer, or the first conflict that was found; never looks further.
std::variant<Resolution, Explanation> answer(const SolveRequest& request, Provider& provider);

// "1.0 – 1.4, 2.1": neighbours among the candidates; pre-releases and yanked ones in between do not split a run.
std::string version_runs(const std::vector<Candidate>& candidates, const VersionSet& versions);

// Dependencies among the facts in the order they are told, from the roots down. Packages released in lockstep need
// another range of each other in every version: one line, `reason` says so.
std::vector<Fact> told_dependencies(const Universe& universe, const std::vector<uint32_t>& facts);

// The sets of one package's versions that the facts ask for, by who asks.
struct Demands {
  struct Range {
    std::string text;  // "<2"
    VersionSet inside;
    const SpecifierSet* specifiers = nullptr;
  };
  std::vector<std::vector<Range>> fixed;                  // by a root or a constraint: one each
  std::map<std::string, std::vector<Range>> of_packages;  // by package: one range for some of its versions each
  bool any_url = false;
  bool any_unmatched = false;  // by any candidate
  bool contradict = false;     // no candidate meets them all
  bool accept(const Version& version) const;
};
Demands demands_on(const Universe& universe, const std::vector<uint32_t>& facts, PackageId base);
// "has no version in both `<2` and `>=3.1`"; "" when the demands alone leave a version.
std::string no_common_version(const Demands& demands);

// For errors that end a search.
// A package of which the versions of `base` looked at so far need what cannot be had.
std::optional<PackageId> refused_by(const Engine& engine, const Universe& universe, PackageId base);
// "`a 1.0 – 1.4` metadata is broken": why most of the versions looked at cannot be used; "".
std::string why_unusable(const Universe& universe, PackageId base);
// "pyproject.toml:3 needs a<2, `b 1.0` needs a>=1": who asks for the package as things stand.
std::string asked_now(const Engine& engine, const Universe& universe, PackageId base);

}  // namespace dae::resolver
