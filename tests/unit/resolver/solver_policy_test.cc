// Extras, pre-releases, yanked releases, preferences, constraints, direct references.
#include <gtest/gtest.h>

#include "memory_provider.h"

namespace dae::resolver {
namespace {

TEST(SolverExtras, PullInWhatTheExtraNeeds) {
  MemoryProvider p;
  p.add("a", "1.0", {"b; extra == 'tls'", "c"}).add("b", "1.0").add("c", "1.0");
  EXPECT_EQ(solved(p, {"a"}), "a 1.0, c 1.0");
  EXPECT_EQ(solved(p, {"a[tls]"}), "a 1.0, b 1.0, c 1.0");
}

TEST(SolverExtras, StayAtTheVersionOfTheirPackage) {
  MemoryProvider p;
  p.add("a", "1.0", {"b<2; extra == 'x'"}).add("a", "2.0", {"b<2; extra == 'x'"});
  p.add("a", "3.0", {"b>=2; extra == 'x'"}).add("b", "1.0").add("b", "2.0").add("c", "1.0", {"b<2"});
  EXPECT_EQ(solved(p, {"a[x]", "c"}), "a 2.0, b 1.0, c 1.0");
}

TEST(SolverExtras, MayReferToTheirOwnPackage) {
  MemoryProvider p;
  p.add("a", "1.0", {"a[one,two]; extra == 'all'", "b; extra == 'one'", "c; extra == 'two'"});
  p.add("b", "1.0").add("c", "1.0");
  EXPECT_EQ(solved(p, {"a[all]"}), "a 1.0, b 1.0, c 1.0");
}

TEST(SolverExtras, ThatDoNotExistAreNoReasonForAnOlderVersion) {
  MemoryProvider p;
  p.add("a", "1.0", {"b; extra == 'x'"}).add("a", "2.0").add("b", "1.0");
  EXPECT_EQ(solved(p, {"a[x]"}), "a 2.0");
}

TEST(SolverExtras, OfTwoDependentsMeetInOnePin) {
  MemoryProvider p;
  p.add("a", "1.0", {"c[x]>=1"}).add("b", "1.0", {"c[y]<2"});
  p.add("c", "1.0", {"d<2; extra == 'x'", "d>=1; extra == 'y'"}).add("c", "2.0").add("d", "1.0").add("d", "2.0");
  EXPECT_EQ(solved(p, {"a", "b"}), "a 1.0, b 1.0, c 1.0, d 1.0");
}

TEST(SolverPrereleases, AreLeftAloneWhileAFinalReleaseFits) {
  MemoryProvider p;
  p.add("a", "1.0").add("a", "2.0rc1");
  EXPECT_EQ(solved(p, {"a"}), "a 1.0");
}

TEST(SolverPrereleases, AreTakenWhenNothingElseFits) {
  MemoryProvider p;
  p.add("a", "1.0").add("a", "2.0rc1").add("only", "1.0b1").add("b", "1.0", {"a>1.5"});
  EXPECT_EQ(solved(p, {"a>1.0", "only"}), "a 2.0rc1, only 1.0b1");
  EXPECT_EQ(solved(p, {"b"}), "a 2.0rc1, b 1.0");
}

TEST(SolverPrereleases, AreOrdinaryVersionsWhenARootNamesOne) {
  MemoryProvider p;
  p.add("a", "1.0").add("a", "2.0rc1").add("b", "1.0", {"a>=0.5a1"});
  EXPECT_EQ(solved(p, {"a>=1.0a1"}), "a 2.0rc1");
  EXPECT_EQ(solved(p, {"b"}), "a 1.0, b 1.0") << "what a dependency says about itself does not opt the user in";
}

TEST(SolverPrereleases, FollowTheMode) {
  MemoryProvider p;
  p.add("a", "1.0").add("a", "2.0rc1").add("only", "1.0b1");
  SolveRequest request = request_of({"a"});
  request.prereleases = PrereleaseMode::allow;
  EXPECT_EQ(outcome_text(solve(request, p)), "a 2.0rc1");
  request = request_of({"only"});
  request.prereleases = PrereleaseMode::disallow;
  EXPECT_EQ(outcome_text(solve(request, p)),
            "no solution\npyproject.toml:1: needs only\nonly 1.0b1: is a pre-release; these are not allowed\n");
}

TEST(SolverYanked, IsChosenByAnExactPinOfTheUserOnly) {
  MemoryProvider p;
  p.add("a", "1.0").add_yanked("a", "2.0").add("b", "1.0", {"a==2.0"});
  EXPECT_EQ(solved(p, {"a"}), "a 1.0");
  EXPECT_EQ(solved(p, {"a==2.0"}), "a 2.0");
  EXPECT_EQ(solved(p, {"a==2.0", "b"}), "a 2.0, b 1.0");
  EXPECT_EQ(solved(p, {"b"}),
            "no solution\npyproject.toml:1: needs b\nb 1.0: needs a==2.0\na 2.0: is yanked; only an exact == of your "
            "own chooses it\n");
  EXPECT_NE(solved(p, {"a==2.*"}).find("is yanked"), std::string::npos);
}

TEST(SolverYanked, StaysWhenTheLockAlreadyHadIt) {
  MemoryProvider p;
  p.add("a", "1.0").add_yanked("a", "2.0");
  SolveRequest request = request_of({"a"});
  request.preferences["a"] = Version::parse("2.0");
  EXPECT_EQ(outcome_text(solve(request, p)), "a 2.0");
}

TEST(SolverPreferences, KeepEarlierPinsWhilePossible) {
  MemoryProvider p;
  p.add("a", "1.0", {"b"}).add("a", "2.0", {"b"}).add("b", "1.0").add("b", "2.0").add("b", "3.0");
  SolveRequest request = request_of({"a", "b>=2"});
  request.preferences["a"] = Version::parse("1.0");
  request.preferences["b"] = Version::parse("1.0");
  EXPECT_EQ(outcome_text(solve(request, p)), "a 1.0, b 3.0");
}

TEST(SolverConstraints, LimitVersionsAndPullNothingIn) {
  MemoryProvider p;
  p.add("a", "1.0", {"b"}).add("b", "1.0").add("b", "2.0").add("c", "1.0");
  SolveRequest request = request_of({"a"});
  request.constraints.push_back({Requirement::parse("b<2"), "constraints.txt:1"});
  request.constraints.push_back({Requirement::parse("c<2"), "constraints.txt:2"});
  request.constraints.push_back({Requirement::parse("a<1; sys_platform == 'win32'"), "constraints.txt:3"});
  EXPECT_EQ(outcome_text(solve(request, p)), "a 1.0, b 1.0");
  request.constraints.push_back({Requirement::parse("b>=2"), "constraints.txt:4"});
  EXPECT_EQ(outcome_text(solve(request, p)),
            "no solution\npyproject.toml:1: needs a\nconstraints.txt:1: constraint: allows only b<2\n"
            "constraints.txt:4: constraint: allows only b>=2\na 1.0: needs b\n"
            "b: has no version in both `<2` and `>=2`\n");
}

TEST(SolverDirectReferences, StandForThePackageWithoutAskingTheIndex) {
  MemoryProvider p;
  p.add_url("https://example.org/a-5.0.zip", "5.0", {"b"}).add("b", "1.0").add("c", "1.0", {"a>=4"});
  EXPECT_EQ(solved(p, {"a @ https://example.org/a-5.0.zip", "c"}),
            "a 5.0 @ https://example.org/a-5.0.zip, b 1.0, c 1.0");
  EXPECT_EQ(std::count(p.asked_versions.begin(), p.asked_versions.end(), "a"), 0);
}

TEST(SolverDirectReferences, MustFitWhatOthersNeed) {
  MemoryProvider p;
  p.add_url("https://example.org/a-5.0.zip", "5.0").add("c", "1.0", {"a<4"});
  EXPECT_EQ(solved(p, {"a @ https://example.org/a-5.0.zip", "c"}),
            "no solution\npyproject.toml:2: needs c\n"
            "c 1.0: needs a<4\na: is version 5.0 by https://example.org/a-5.0.zip\n");
}

TEST(SolverDirectReferences, AreFoundLateToo) {
  MemoryProvider p;
  p.add("a", "1.0").add("a", "2.0").add("b", "1.0", {"a @ https://example.org/a-1.5.zip"});
  p.add_url("https://example.org/a-1.5.zip", "1.5", {"c"}).add("c", "1.0");
  EXPECT_EQ(solved(p, {"a", "b"}), "a 1.5 @ https://example.org/a-1.5.zip, b 1.0, c 1.0");
}

TEST(SolverDirectReferences, OfPackagesOutsideTheAnswerAreNotUsed) {
  MemoryProvider p;
  p.add("b", "2.0", {"a @ https://example.org/a-1.5.zip", "d>=2"}).add("b", "1.0").add("d", "1.0");
  p.add("a", "1.0", {"d>=2"}).add_url("https://example.org/a-1.5.zip", "1.5");
  EXPECT_EQ(solved(p, {"b", "a"}).substr(0, 11), "no solution");
}

}  // namespace
}  // namespace dae::resolver
