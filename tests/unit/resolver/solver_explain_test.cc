#include <gtest/gtest.h>

#include "base/error.h"
#include "memory_provider.h"
#include "resolver/solver/explain.h"

namespace dae::resolver {
namespace {

TEST(SolverExplanation, NamesTheRootsAndWhatTheyNeed) {
  MemoryProvider p;
  p.add("flask", "3.1.0", {"werkzeug>=3.1"}).add("flask", "3.1.1", {"werkzeug>=3.1"});
  p.add("flask", "3.1.2", {"werkzeug>=3.1"}).add("flask", "2.0", {"werkzeug<3"});
  p.add("werkzeug", "2.3").add("werkzeug", "3.0").add("werkzeug", "3.1").add("other", "1.0");
  const auto outcome = solve(request_of({"other", "flask>=3", "werkzeug<3.1"}), p);
  EXPECT_EQ(outcome_text(outcome),
            "no solution\n"
            "pyproject.toml:2: needs flask>=3\n"
            "pyproject.toml:3: needs werkzeug<3.1\n"
            "flask 3.1.0 – 3.1.2: needs werkzeug>=3.1\n"
            "werkzeug: has no version in both `<3.1` and `>=3.1`\n");
  EXPECT_EQ(std::get<NoSolution>(outcome).involved_roots, (std::vector<std::string>{"flask", "werkzeug"}));
}

TEST(SolverExplanation, SaysThatAPackageIsNotThere) {
  MemoryProvider p;
  EXPECT_EQ(solved(p, {"nowhere"}), "no solution\npyproject.toml:1: needs nowhere\nnowhere: is not in the index\n");
  p.add("a", "1.0", {"gone>=1"}).note("gone", "quarantined by its index");
  EXPECT_EQ(solved(p, {"a"}),
            "no solution\npyproject.toml:1: needs a\na 1.0: needs gone>=1\ngone: is quarantined by its index\n");
}

TEST(SolverExplanation, SaysThatNoFileFits) {
  MemoryProvider p;
  p.note("a", "no wheel for this target and no sdist");
  EXPECT_EQ(solved(p, {"a"}), "no solution\npyproject.toml:1: needs a\na: has no wheel for this target and no sdist\n");
}

TEST(SolverExplanation, SaysThatNoVersionMatches) {
  MemoryProvider p;
  p.add("a", "1.0").add("a", "1.1");
  EXPECT_EQ(solved(p, {"a>=2"}),
            "no solution\npyproject.toml:1: needs a>=2\na: has no version that matches `a>=2`, only 1.0 – 1.1\n");
}

TEST(SolverExplanation, CompressesVersionsThatCannotBeUsed) {
  MemoryProvider p;
  for (const char* v : {"1.0", "1.1", "1.2"}) p.add_unusable("a", v, "needs python >=3.13");
  p.add_unusable("a", "2.0", "has broken metadata");
  EXPECT_EQ(solved(p, {"a"}),
            "no solution\npyproject.toml:1: needs a\na 2.0: has broken metadata\na 1.0 – 1.2: needs python >=3.13\n");
}

TEST(SolverExplanation, LeavesOutWhatIsNotNeededForTheContradiction) {
  MemoryProvider p;
  p.add("a", "1.0", {"x<2"}).add("b", "1.0", {"x>=2"}).add("c", "1.0", {"x>=2"}).add("d", "1.0", {"x"});
  p.add("x", "1.0").add("x", "2.0");
  const auto outcome = solve(request_of({"d", "a", "b", "c"}), p);
  EXPECT_EQ(std::get<NoSolution>(outcome).lines.size(), 5u) << outcome_text(outcome);
}

TEST(SolverExplanation, GoesFromTheRootsDown) {
  MemoryProvider p;
  p.add("a", "1.0", {"b==1.0"}).add("a", "2.0", {"b==2.0"}).add("a", "3.0", {"b==3.0"});
  for (const char* v : {"1.0", "2.0", "3.0"}) p.add("b", v);
  p.add("c", "1.0", {"a<2"}).add("c", "2.0", {"a>=3"});
  EXPECT_EQ(solved(p, {"a", "b==2.0", "c"}),
            "no solution\npyproject.toml:2: needs b==2.0\npyproject.toml:3: needs c\nc 2.0: needs a>=3\n"
            "c 1.0: needs a<2\na 3.0: needs b==3.0\na 1.0: needs b==1.0\n"
            "b: has no version in `==2.0` and also in `==3.0` or `==1.0`\n");
}

TEST(SolverExplanation, TellsTwoPinsOfOnePackageApart) {
  MemoryProvider p;
  p.add("a", "1.0").add("a", "2.0");
  EXPECT_EQ(solved(p, {"a==1.0", "a==2.0"}),
            "no solution\npyproject.toml:1: needs a==1.0\npyproject.toml:2: needs a==2.0\n"
            "a: has no version in both `==1.0` and `==2.0`\n");
}

TEST(SolverExplanation, ShowsExtrasAsTheyAreAskedFor) {
  MemoryProvider p;
  p.add("a", "1.0", {"b==1.0; extra == 'x'"}).add("b", "1.0").add("b", "2.0");
  EXPECT_EQ(solved(p, {"a[x]", "b==2.0"}),
            "no solution\npyproject.toml:1: needs a[x]\npyproject.toml:2: needs b==2.0\na[x] 1.0: needs b==1.0\n"
            "b: has no version in both `==2.0` and `==1.0`\n");
}

TEST(SolverExplanation, TellsPackagesInLockstepInOneLine) {
  MemoryProvider p;
  for (int i = 0; i < 30; ++i) {
    const std::string n = std::to_string(i);
    p.add("top", n, {"core==" + n}).add("core", n, {"leaf>=2"});
  }
  p.add("leaf", "1").add("leaf", "2");
  EXPECT_EQ(solved(p, {"top", "leaf<2"}),
            "no solution\npyproject.toml:1: needs top\npyproject.toml:2: needs leaf<2\n"
            "top 0 – 29: needs core==29 and so on: 30 different ranges\ncore 0 – 29: needs leaf>=2\n"
            "leaf: has no version in both `<2` and `>=2`\n");
}

TEST(SolverExplanation, BridgesPrereleasesInARunOfVersions) {
  std::vector<Candidate> candidates;
  for (const char* v : {"3.0", "2.0", "1.2", "1.1rc1", "1.1", "1.0"}) candidates.push_back({Version::parse(v)});
  VersionSet set(7);
  for (const uint32_t v : {0u, 2u, 4u, 5u}) set.insert(v);
  EXPECT_EQ(version_runs(candidates, set), "1.0 – 1.2, 3.0");
}

// A registry that also tells of versions which are no candidates.
class TellingProvider : public MemoryProvider {
 public:
  std::vector<LeftOut> left_out(const std::string& package) override { return left[package]; }
  std::map<std::string, std::vector<LeftOut>> left;
};

TEST(SolverExplanation, NamesTheVersionsThatAnotherPythonCouldHave) {
  TellingProvider p;
  p.add("a", "1.0").add("a", "1.1");
  for (const char* v : {"2.1", "2.0", "0.9"}) {
    p.left["a"].push_back({Version::parse(v), "needs python >=3.13, the target has 3.12", ">=3.13"});
  }
  EXPECT_EQ(solved(p, {"a>=2"}),
            "no solution\npyproject.toml:1: needs a>=2\na 2.0 – 2.1: needs python >=3.13, the target has 3.12\n");
}

TEST(SolverExplanation, NamesTheVersionThatTheCutoffHidesAndThatWouldDo) {
  TellingProvider p;
  p.add("a", "1.0", {"b>=3.2"}).add("b", "3.0").add("c", "1.0");
  p.left["b"] = {{Version::parse("3.2"), "was uploaded after the cutoff 2026-01-01", "", 1'770'000'000'000},
                 {Version::parse("3.1"), "was uploaded after the cutoff 2026-01-01", "", 1'769'000'000'000}};
  EXPECT_EQ(solved(p, {"a"}),
            "no solution\npyproject.toml:1: needs a\na 1.0: needs b>=3.2\n"
            "b 3.2: was uploaded after the cutoff 2026-01-01\n");
}

TEST(SolverExplanation, SaysNothingOfVersionsThatWouldNotHelp) {
  TellingProvider p;
  p.add("a", "2.0", {"b<2"}).add("b", "1.0").add("b", "2.0");
  p.left["a"] = {{Version::parse("1.0"), "has no wheel for python 3.12 and no sdist", ""}};
  EXPECT_EQ(solved(p, {"a", "b>=2"}),
            "no solution\npyproject.toml:1: needs a\npyproject.toml:2: needs b>=2\na 2.0: needs b<2\n"
            "b: has no version in both `>=2` and `<2`\n");
}

TEST(SolverExplanation, ComparesThePythonThatMetadataAsksForWithTheTargets) {
  MemoryProvider p;
  p.add_unusable("a", "1.0", "requires python >=3.13");
  EXPECT_EQ(solved(p, {"a"}),
            "no solution\npyproject.toml:1: needs a\na 1.0: needs python >=3.13, the target has 3.12\n");
}

TEST(SolverExplanation, CompressesPackagesThatOnlyPassARequirementOn) {
  MemoryProvider p;
  p.add("a", "1.0", {"b"}).add("b", "1.0", {"c>=1"}).add("c", "1.0", {"d"}).add("d", "1.0", {"e>=2"});
  p.add("e", "1.0").add("e", "2.0");
  EXPECT_EQ(solved(p, {"a", "e<2"}),
            "no solution\npyproject.toml:1: needs a\npyproject.toml:2: needs e<2\n"
            "a 1.0: leads by b, c, d to e>=2\ne: has no version in both `<2` and `>=2`\n");
}

TEST(SolverExplanation, CallsAnOverrideAnOverride) {
  MemoryProvider p;
  p.add("a", "1.0", {"b>=2"}).add("b", "1.0").add("b", "2.0");
  SolveRequest request = request_of({"a"});
  request.overrides = {{Requirement::parse("b==3.0"), "pyproject.toml:20"}};
  EXPECT_EQ(outcome_text(solve(request, p)),
            "no solution\npyproject.toml:1: needs a\npyproject.toml:20: override: whoever needs it gets b==3.0\n"
            "a 1.0: needs b==3.0   (overridden)\nb: has no version that matches `b==3.0`, only 1.0 – 2.0\n");
}

TEST(SolverExplanation, NamesTheExtraThatAsks) {
  MemoryProvider p;
  p.add("a", "1.0");
  SolveRequest request = request_of({"a<1"});
  request.roots[0].scope = "group:docs";
  EXPECT_EQ(outcome_text(solve(request, p)),
            "no solution\npyproject.toml:1: needs a<1   (group `docs`)\n"
            "a: has no version that matches `a<1`, only 1.0\n");
}

TEST(SolverExplanation, SaysWhichReleasesAreYankedOrPreReleases) {
  MemoryProvider p;
  p.add_yanked("a", "1.0");
  EXPECT_EQ(solved(p, {"a"}),
            "no solution\npyproject.toml:1: needs a\na 1.0: is yanked; only an exact == of your own chooses it\n");
  p.add("b", "2.0rc1");
  SolveRequest request = request_of({"b"});
  request.prereleases = PrereleaseMode::disallow;
  EXPECT_EQ(outcome_text(solve(request, p)),
            "no solution\npyproject.toml:1: needs b\nb 2.0rc1: is a pre-release; these are not allowed\n");
}

TEST(SolverExplanation, OfASearchThatIsGivenUpNamesBothPackagesWithWhoAsksForThem) {
  MemoryProvider p;
  for (int i = 0; i < 40; ++i) p.add_sdist("a", std::to_string(i) + ".0", {"b>=2"});
  p.add("b", "1.0").add("b", "2.0");
  try {
    solve(request_of({"b<2", "a"}), p);
    FAIL() << "must be given up";
  } catch (const Error& error) {
    EXPECT_NE(error.cause().find("`a` and `b` do not go together"), std::string::npos) << error.cause();
    EXPECT_NE(error.cause().find("pyproject.toml:2 needs a"), std::string::npos) << error.cause();
    EXPECT_NE(error.cause().find("pyproject.toml:1 needs b<2"), std::string::npos) << error.cause();
    EXPECT_NE(error.hint().find("`a>="), std::string::npos) << error.hint();
  }
}

TEST(SolverExplanation, OfASearchThatIsGivenUpSaysWhatIsWrongWithTheVersions) {
  MemoryProvider p;
  for (int i = 0; i < 40; ++i) {
    p.add_sdist("a", std::to_string(i) + ".0");
    p.add_unusable("a", std::to_string(i) + ".0", "its metadata cannot be had");
  }
  try {
    solve(request_of({"a"}), p);
    FAIL() << "must be given up";
  } catch (const Error& error) {
    EXPECT_NE(error.cause().find("pyproject.toml:1 needs a"), std::string::npos) << error.cause();
    EXPECT_NE(error.cause().find("` its metadata cannot be had"), std::string::npos) << error.cause();
  }
}

}  // namespace
}  // namespace dae::resolver
