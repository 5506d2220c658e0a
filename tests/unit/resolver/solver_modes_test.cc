// What a request can ask for beside requirements: overrides, constraints, lowest versions, scopes; and warnings.
#include <gtest/gtest.h>

#include "memory_provider.h"

namespace dae::resolver {
namespace {

using Names = std::vector<std::string>;

SolveRequest with_overrides(const Names& roots, const Names& overrides) {
  SolveRequest request = request_of(roots);
  for (const std::string& text : overrides) request.overrides.push_back({Requirement::parse(text), "overrides"});
  return request;
}

TEST(SolverOverrides, ReplaceWhatAnybodyRequires) {
  MemoryProvider p;
  p.add("a", "1.0", {"c<2"}).add("b", "1.0", {"c<1"}).add("c", "0.5").add("c", "1.5").add("c", "2.5").add("c", "3.0");
  EXPECT_EQ(outcome_text(solve(with_overrides({"a", "b", "c==0.5"}, {"c>=2,<3"}), p)), "a 1.0, b 1.0, c 2.5");
}

TEST(SolverOverrides, PullNothingInByThemselves) {
  MemoryProvider p;
  p.add("a", "1.0").add("c", "1.0");
  EXPECT_EQ(outcome_text(solve(with_overrides({"a"}, {"c==1.0"}), p)), "a 1.0");
}

TEST(SolverOverrides, KeepTheExtrasThatAreAskedFor) {
  MemoryProvider p;
  p.add("a", "1.0", {"c[x]<2"}).add("c", "3.0", {"d; extra == 'x'", "e; extra == 'y'"}, {"x", "y"});
  p.add("d", "1.0").add("e", "1.0");
  EXPECT_EQ(outcome_text(solve(with_overrides({"a"}, {"c>=3"}), p)), "a 1.0, c 3.0, d 1.0");
  EXPECT_EQ(outcome_text(solve(with_overrides({"a"}, {"c[y]>=3"}), p)), "a 1.0, c 3.0, d 1.0, e 1.0");
}

TEST(SolverOverrides, TakeTheRequirementAwayWhereTheirMarkerDoesNotHold) {
  MemoryProvider p;
  p.add("a", "1.0", {"c<2"}).add("c", "1.0");
  EXPECT_EQ(outcome_text(solve(with_overrides({"a"}, {"c; sys_platform == 'win32'"}), p)), "a 1.0");
}

TEST(SolverOverrides, MayBeADirectReference) {
  MemoryProvider p;
  p.add("a", "1.0", {"c<2"}).add("c", "1.0").add_url("https://example.org/c-9.0.zip", "9.0");
  EXPECT_EQ(outcome_text(solve(with_overrides({"a"}, {"c @ https://example.org/c-9.0.zip"}), p)),
            "a 1.0, c 9.0 @ https://example.org/c-9.0.zip");
}

TEST(SolverSelection, LowestTakesTheOldestVersionsThatFit) {
  MemoryProvider p;
  p.add("a", "1.0", {"b>=2"}).add("a", "2.0", {"b>=1"}).add("b", "1.0").add("b", "2.0").add("b", "3.0");
  SolveRequest request = request_of({"a"});
  request.selection = Selection::lowest;
  EXPECT_EQ(outcome_text(solve(request, p)), "a 1.0, b 2.0");
}

TEST(SolverSelection, LowestDirectIsForWhatTheProjectNames) {
  MemoryProvider p;
  p.add("a", "1.0", {"b>=2"}).add("a", "2.0").add("b", "1.0").add("b", "2.0").add("b", "3.0");
  SolveRequest request = request_of({"a"});
  request.selection = Selection::lowest_direct;
  EXPECT_EQ(outcome_text(solve(request, p)), "a 1.0, b 3.0");
}

TEST(SolverSelection, LowestLeavesPrereleasesAlone) {
  MemoryProvider p;
  p.add("a", "0.9rc1").add("a", "1.0").add("a", "2.0");
  SolveRequest request = request_of({"a"});
  request.selection = Selection::lowest;
  EXPECT_EQ(outcome_text(solve(request, p)), "a 1.0");
}

TEST(SolverConstraints, MayNameTheFileThatIsMeant) {
  MemoryProvider p;
  p.add("a", "1.0", {"b"}).add("b", "1.0").add("b", "2.0").add_url("https://example.org/b-1.5.zip", "1.5");
  SolveRequest request = request_of({"a"});
  request.constraints.push_back({Requirement::parse("b @ https://example.org/b-1.5.zip"), "constraints.txt:1"});
  EXPECT_EQ(outcome_text(solve(request, p)), "a 1.0, b 1.5 @ https://example.org/b-1.5.zip");
}

TEST(SolverConstraints, AllowAYankedVersionByAnExactPin) {
  MemoryProvider p;
  p.add("a", "1.0", {"b"}).add("b", "1.0").add_yanked("b", "2.0");
  SolveRequest request = request_of({"a"});
  request.constraints.push_back({Requirement::parse("b==2.0"), "constraints.txt:1"});
  EXPECT_EQ(outcome_text(solve(request, p)), "a 1.0, b 2.0");
}

TEST(SolverConstraints, ThatContradictEachOtherAreBothNamed) {
  MemoryProvider p;
  p.add("a", "1.0").add("a", "2.0");
  SolveRequest request = request_of({"a"});
  request.constraints.push_back({Requirement::parse("a<2"), "one.txt:1"});
  request.constraints.push_back({Requirement::parse("a>=2"), "two.txt:1"});
  EXPECT_EQ(outcome_text(solve(request, p)),
            "no solution\npyproject.toml:1: needs a\none.txt:1: constraint: allows only a<2\ntwo.txt:1: constraint: "
            "allows only a>=2\n"
            "a: has no version in both `<2` and `>=2`\n");
}

TEST(SolverScopes, TellWhichRootsLeadToAPin) {
  MemoryProvider p;
  p.add("a", "1.0", {"c"}).add("b", "1.0", {"c[x]"}).add("c", "1.0", {"d; extra == 'x'", "e"}, {"x"});
  p.add("d", "1.0").add("e", "1.0", {"a"});
  SolveRequest request = request_of({"a", "b"});
  request.roots[1].scope = "group:dev";
  const auto outcome = solve(request, p);
  std::string text;
  for (const Pin& pin : std::get<Resolution>(outcome).pins) {
    text += pin.name + ":";
    for (const std::string& scope : pin.scopes) text += " '" + scope + "'";
    text += "\n";
  }
  EXPECT_EQ(text, "a: '' 'group:dev'\nb: 'group:dev'\nc: '' 'group:dev'\nd: 'group:dev'\ne: '' 'group:dev'\n");
}

TEST(SolverWarnings, NameExtrasThatDoNotExist) {
  MemoryProvider p;
  p.add("a", "1.0", {"b[y]", "c; extra == 'x'"}, {"x"}).add("b", "1.0").add("c", "1.0");
  const auto outcome = solve(request_of({"a[x,z]"}), p);
  EXPECT_EQ(std::get<Resolution>(outcome).warnings, (Names{"`a 1.0` has no extra `z`", "`b 1.0` has no extra `y`"}));
}

TEST(SolverWarnings, SpareExtrasThatOldMetadataDoesNotAnnounce) {
  MemoryProvider p;
  p.add("a", "1.0", {"c; extra == 'x'"}).add("c", "1.0");
  EXPECT_TRUE(std::get<Resolution>(solve(request_of({"a[x]"}), p)).warnings.empty());
}

TEST(SolverMetadata, ThatCannotBeReadRulesTheVersionOut) {
  MemoryProvider p;
  p.add("a", "1.0").add("a", "2.0", {"b >>> 1"});
  EXPECT_EQ(solved(p, {"a"}), "a 1.0");
  EXPECT_NE(solved(p, {"a>=2"}).find("metadata is broken"), std::string::npos) << solved(p, {"a>=2"});
}

TEST(SolverPrereleases, AreNotTakenBecauseTheSearchRuledOutTheFinalReleases) {
  MemoryProvider p;
  p.add("a", "1.0", {"c<2"}).add("a", "2.0", {"c<2"}).add("a", "1.5b1");
  p.add("b", "1.0").add("b", "2.0", {"c>=2"}).add("c", "1.0").add("c", "2.0");
  EXPECT_EQ(solved(p, {"b", "a"}), "a 2.0, b 1.0, c 1.0");
}

TEST(SolverPrereleases, AreTakenBeforeThereIsNoAnswerAtAll) {
  MemoryProvider p;
  p.add("a", "1.0", {"c<2"}).add("a", "2.0b1").add("c", "1.0").add("c", "2.0");
  EXPECT_EQ(solved(p, {"a", "c>=2"}), "a 2.0b1, c 2.0");
}

TEST(SolverPrereleases, AreTakenForADependencyThatNothingElseSatisfies) {
  MemoryProvider p;
  p.add("z", "1.0", {"a"}).add("b", "1.0").add("b", "2.0", {"late"}).add("late", "1.0", {"a>=2.0b1"});
  p.add("a", "1.0").add("a", "2.0b1");
  EXPECT_EQ(solved(p, {"z", "b"}), "a 2.0b1, b 2.0, late 1.0, z 1.0");
}

TEST(SolverExtras, InACircleEndAtOnePinEach) {
  MemoryProvider p;
  p.add("a", "1.0", {"b[x]; extra == 'x'"}, {"x"}).add("b", "1.0", {"a[y]; extra == 'x'"}, {"x"});
  p.add("a", "2.0", {"b[x]; extra == 'x'", "c; extra == 'y'"}, {"x", "y"}).add("c", "1.0");
  EXPECT_EQ(solved(p, {"a[x]"}), "a 2.0, b 1.0, c 1.0");
}

TEST(SolverExtras, AHundredOfThemCostNoSquare) {
  MemoryProvider p;
  Names needs, extras;
  std::string all;
  for (int e = 0; e < 100; ++e) {
    const std::string extra = "e" + std::to_string(e);
    extras.push_back(extra);
    all += (e == 0 ? "" : ",") + extra;
    for (int k = 0; k < 10; ++k) {
      const std::string name = "p" + std::to_string((e * 10 + k) % 300);
      needs.push_back(name + ">=1; extra == '" + extra + "'");
    }
  }
  needs.push_back("big[" + all + "]; extra == 'all'");
  extras.push_back("all");
  for (int v = 1; v <= 20; ++v) p.add("big", std::to_string(v), needs, extras);
  for (int k = 0; k < 300; ++k) p.add("p" + std::to_string(k), "1.0");
  const auto outcome = solve(request_of({"big[all]"}), p);
  EXPECT_EQ(std::get<Resolution>(outcome).pins.size(), 301u);
  EXPECT_LT(std::get<Resolution>(outcome).steps, 500);
}

}  // namespace
}  // namespace dae::resolver
