// Further conflicts and the changes that help: each expectation is a line that a user sees.
#include <gtest/gtest.h>

#include "base/strings.h"
#include "memory_provider.h"
#include "resolver/solver/suggest_relax.h"

namespace dae::resolver {
namespace {

NoSolution look(const SolveRequest& asked, Provider& provider) {
  SolveRequest request = asked;
  request.suggest = true;
  return std::get<NoSolution>(solve(request, provider));
}

std::vector<std::string> offered(const NoSolution& no) {
  std::vector<std::string> out;
  for (const Suggestion& s : no.suggestions) out.push_back((s.origin.empty() ? "" : s.origin + ": ") + s.text);
  return out;
}

using Lines = std::vector<std::string>;

MemoryProvider web() {
  MemoryProvider p;
  p.add("flask", "2.0", {"werkzeug<3"}).add("flask", "3.1", {"werkzeug>=3.1"});
  for (const char* v : {"1.0", "2.3", "3.0", "3.1", "3.2", "4.0"}) p.add("werkzeug", v);
  return p;
}

TEST(SolverSuggestion, RaisesAnUpperBoundNoFurtherThanNeeded) {
  MemoryProvider p = web();
  const NoSolution no = look(request_of({"flask>=3", "werkzeug<2"}), p);
  EXPECT_EQ(offered(no), (Lines{"pyproject.toml:2: relax `werkzeug<2` to `werkzeug<4` (gives werkzeug 3.2)",
                                "pyproject.toml:1: relax `flask>=3` to `flask>=2.0` (gives flask 2.0)"}));
  EXPECT_FALSE(no.together);
  EXPECT_EQ(no.conflicts.size(), 1u);
}

TEST(SolverSuggestion, MovesAPinWithinItsMajorVersionIfThatHelps) {
  MemoryProvider p;
  p.add("a", "1.0", {"b>=1.5"});
  for (const char* v : {"1.0", "1.5", "1.6", "2.0"}) p.add("b", v);
  EXPECT_EQ(offered(look(request_of({"a", "b==1.0"}), p)), Lines{"pyproject.toml:2: change `b==1.0` to `b==1.6`"});
}

TEST(SolverSuggestion, RelaxesOrRemovesAConstraint) {
  MemoryProvider p = web();
  SolveRequest request = request_of({"flask>=3"});
  request.constraints = {{Requirement::parse("werkzeug<3"), "constraints.txt:4"}};
  EXPECT_EQ(offered(look(request, p)).front(),
            "constraints.txt:4: relax the constraint `werkzeug<3` to `werkzeug<4` (gives werkzeug 3.2)");
}

TEST(SolverSuggestion, RemovesAnOverride) {
  MemoryProvider p = web();
  SolveRequest request = request_of({"flask"});
  request.overrides = {{Requirement::parse("werkzeug==9"), "pyproject.toml:30"}};
  EXPECT_EQ(offered(look(request, p)),
            Lines{"pyproject.toml:30: remove the override `werkzeug==9` (gives werkzeug 4.0)"});
}

TEST(SolverSuggestion, AllowsPreReleasesWhereTheyWereForbidden) {
  MemoryProvider p;
  p.add("a", "1.0rc1");
  SolveRequest request = request_of({"a"});
  request.prereleases = PrereleaseMode::disallow;
  EXPECT_EQ(offered(look(request, p)),
            Lines{"allow pre-releases with `prereleases = \"if-necessary\"` (gives a 1.0rc1)"});
}

TEST(SolverSuggestion, RemovesARootWhereNothingElseHelps) {
  MemoryProvider p;
  p.add("a", "1.0", {"x<2"}).add("b", "1.0", {"x>=2"}).add("x", "1.0").add("x", "2.0");
  EXPECT_EQ(offered(look(request_of({"a", "b"}), p)),
            (Lines{"pyproject.toml:1: remove `a`", "pyproject.toml:2: remove `b`"}));
}

TEST(SolverSuggestion, OffersNothingThatDoesNotHelp) {
  MemoryProvider p;
  EXPECT_EQ(offered(look(request_of({"nowhere>=1"}), p)), Lines{});
}

TEST(SolverSuggestion, FindsIndependentConflictsShortestFirstAndWhatHelpsAgainstAllOfThem) {
  MemoryProvider p = web();
  p.add("x", "1.0");
  const NoSolution no = look(request_of({"flask>=3", "werkzeug<2", "x>=2"}), p);
  ASSERT_EQ(no.conflicts.size(), 2u);
  EXPECT_EQ(no.conflicts[0].roots, std::vector<size_t>{2});
  EXPECT_EQ(no.conflicts[1].roots, (std::vector<size_t>{0, 1}));
  EXPECT_EQ(no.lines.size(), no.conflicts[0].lines.size());
  EXPECT_EQ(no.lines.front().text, "needs x>=2");
  EXPECT_TRUE(no.together);
  EXPECT_EQ(offered(no), (Lines{"pyproject.toml:3: relax `x>=2` to `x>=1.0` (gives x 1.0)",
                                "pyproject.toml:2: relax `werkzeug<2` to `werkzeug<4` (gives werkzeug 3.2)"}));
}

TEST(SolverSuggestion, TakesLinesThatAskForTheSameTogether) {
  MemoryProvider p = web();
  const NoSolution no = look(request_of({"flask>=3", "werkzeug<2", "werkzeug<2", "x", "werkzeug<2"}), p);
  ASSERT_EQ(no.conflicts.size(), 2u);
  EXPECT_EQ(no.conflicts[0].lines.front().origin, "pyproject.toml:4");
  EXPECT_EQ(no.conflicts[1].lines[1].origin, "pyproject.toml:2, 3, 5");
  p.add("x", "1.0");
  EXPECT_EQ(offered(look(request_of({"flask>=3", "werkzeug<2", "x", "werkzeug<2"}), p)).front(),
            "pyproject.toml:2, 4: relax `werkzeug<2` to `werkzeug<4` (gives werkzeug 3.2)");
}

TEST(SolverSuggestion, GoesOnPastWhatWouldHaveToBeBuilt) {
  MemoryProvider p;
  p.add_sdist("a", "1.0").add("a", "2.0");
  const NoSolution no = look(request_of({"gone", "a<2", "lost"}), p);
  EXPECT_EQ(no.conflicts.size(), 2u);
  EXPECT_TRUE(p.asked_metadata.empty());
  EXPECT_TRUE(no.suggestions.empty());
}

TEST(SolverSuggestion, ReadsAFewSdistsWhereThereIsNothingElse) {
  MemoryProvider p = web();
  p.add_sdist("s", "1.0");
  const NoSolution no = look(request_of({"flask>=3", "werkzeug<2", "s"}), p);
  EXPECT_EQ(offered(no).front(), "pyproject.toml:2: relax `werkzeug<2` to `werkzeug<4` (gives werkzeug 3.2)");
  MemoryProvider many = web();
  std::vector<std::string> asked{"flask>=3", "werkzeug<2"};
  for (int i = 0; i < 9; ++i) {
    many.add_sdist("s" + std::to_string(i), "1.0");
    asked.push_back("s" + std::to_string(i));
  }
  EXPECT_EQ(offered(look(request_of(asked), many)), Lines{});
  EXPECT_LE(std::count_if(many.asked_metadata.begin(), many.asked_metadata.end(),
                          [](const std::string& text) { return text.starts_with("s"); }),
            9 + 3);
}

TEST(SolverSuggestion, ShowsFiveConflictsAtMost) {
  MemoryProvider p;
  EXPECT_EQ(look(request_of({"a", "b", "c", "d", "e", "f", "g"}), p).conflicts.size(), 5u);
}

TEST(SolverSuggestion, ReadsNoSdistThatTheSearchDidNotRead) {
  MemoryProvider p = web();
  p.add_sdist("werkzeug", "3.3");
  const NoSolution no = look(request_of({"flask>=3", "werkzeug<2"}), p);
  EXPECT_EQ(offered(no).front(), "pyproject.toml:2: relax `werkzeug<2` to `werkzeug<4` (gives werkzeug 3.2)");
  EXPECT_EQ(std::count(p.asked_metadata.begin(), p.asked_metadata.end(), "werkzeug 3.3"), 0);
}

// Another target or cutoff has other candidates.
class ElsewhereProvider : public MemoryProvider {
 public:
  std::vector<LeftOut> left_out(const std::string& package) override {
    return package == "a" ? left : std::vector<LeftOut>();
  }
  std::vector<LeftOut> left;
};

TEST(SolverSuggestion, NamesAPythonThatWouldDo) {
  ElsewhereProvider p;
  p.add("a", "1.0");
  p.left = {{Version::parse("2.0"), "needs python >=3.13, the target has 3.12", ">=3.13"}};
  SolveRequest request = request_of({"a>=2"});
  std::vector<std::string> tried;
  request.other_provider = [&](const Target& target, std::optional<int64_t>) {
    tried.push_back(target.python_version);
    auto out = std::make_unique<MemoryProvider>();
    out->add("a", "1.0").add("a", "2.0");
    return out;
  };
  EXPECT_EQ(offered(look(request, p)),
            (Lines{"pyproject.toml:1: relax `a>=2` to `a>=1.0` (gives a 1.0)", "use python 3.13"}));
  EXPECT_EQ(tried, Lines{"3.13"});
}

TEST(SolverSuggestion, NamesTheDayTheCutoffWouldHaveToBe) {
  ElsewhereProvider p;
  p.add("a", "1.0");
  p.left = {{Version::parse("2.0"), "was uploaded after the cutoff 2026-01-01", "", 1'770'000'000'000}};
  SolveRequest request = request_of({"a>=2"});
  request.other_provider = [&](const Target&, std::optional<int64_t> cutoff_ms) {
    auto out = std::make_unique<MemoryProvider>();
    out->add("a", "1.0");
    if (cutoff_ms && *cutoff_ms >= 1'770'000'000'000) out->add("a", "2.0");
    return out;
  };
  EXPECT_EQ(offered(look(request, p)).front(), "move the cutoff to 2026-02-02 (a 2.0 is of that day)");
}

TEST(SolverSuggestion, IsTheSameEachTime) {
  MemoryProvider p = web();
  const auto request = request_of({"flask>=3", "werkzeug<2"});
  EXPECT_EQ(offered(look(request, p)), offered(look(request, p)));
}

std::string options(const char* old, const char* wanted) {
  std::vector<std::string> out;
  for (const SpecifierSet& set : relax(SpecifierSet::parse(old), Version::parse(wanted)).options)
    out.push_back(set.text());
  return join(out, " | ");
}

TEST(Relaxation, OffersTheBoundsAPersonWouldWriteNearestFirst) {
  EXPECT_EQ(options("<2", "3.1"), "<3 | <4");
  EXPECT_EQ(options("<2.5", "2.9"), "<2.6 | <2.10");
  EXPECT_EQ(options("<2.5", "4.0"), "<2.6 | <3 | <4 | <5");
  EXPECT_EQ(options("<=2", "2.1"), "<3");
  EXPECT_EQ(options("<2,>=1,!=1.5", "2.0"), "!=1.5,<3,>=1");
}

TEST(Relaxation, LowersLowerBoundsAndMovesPins) {
  EXPECT_EQ(options(">=3", "2.9.4"), ">=2.9");
  EXPECT_EQ(options(">=3,<5", "2.9rc1"), "<5,>=2.9rc1");
  EXPECT_EQ(options("==1.0", "1.2"), "==1.2");
  EXPECT_EQ(options("!=1.2", "1.2"), "");
}

TEST(Relaxation, TakesCompatibleReleasesApart) {
  EXPECT_EQ(options("~=1.4", "2.3"), "<3,>=1.4");
  EXPECT_EQ(options("~=1.4.2", "1.6"), "<1.6,>=1.4.2 | <1.7,>=1.4.2");
  EXPECT_EQ(options("==1.4.*", "1.2"), "<1.5,>=1.2");
}

TEST(Relaxation, LeavesAloneWhatFits) {
  EXPECT_EQ(options(">=1", "2"), "");
}

}  // namespace
}  // namespace dae::resolver
