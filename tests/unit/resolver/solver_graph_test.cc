// Graphs: the cases of the PubGrub documentation and those that have broken resolvers before.
#include <gtest/gtest.h>

#include "base/error.h"
#include "memory_provider.h"

namespace dae::resolver {
namespace {

TEST(Solver, TakesTheNewestVersionsThatFit) {
  MemoryProvider p;
  p.add("a", "1.0").add("a", "2.0", {"b<2"}).add("b", "1.0").add("b", "1.5").add("b", "2.0");
  EXPECT_EQ(solved(p, {"a"}), "a 2.0, b 1.5");
}

TEST(Solver, AnswersNothingForNoRequirements) {
  MemoryProvider p;
  EXPECT_EQ(solved(p, {}), "");
}

TEST(Solver, AvoidsAConflictByChoosingAnOlderVersionBeforeItHappens) {
  MemoryProvider p;
  p.add("foo", "1.1.0", {"bar>=2,<3"}).add("foo", "1.0.0");
  p.add("bar", "1.0.0").add("bar", "1.1.0").add("bar", "2.0.0");
  EXPECT_EQ(solved(p, {"foo>=1", "bar>=1,<2"}), "bar 1.1.0, foo 1.0.0");
}

TEST(Solver, ResolvesAConflictByTakingBackADecision) {
  MemoryProvider p;
  p.add("foo", "2.0.0", {"bar>=1"}).add("foo", "1.0.0").add("bar", "1.0.0", {"foo<2"});
  EXPECT_EQ(solved(p, {"foo>=1"}), "foo 1.0.0");
}

TEST(Solver, ResolvesAConflictWithAPartialSatisfier) {
  MemoryProvider p;
  p.add("foo", "1.1.0", {"left>=1", "right>=1"}).add("foo", "1.0.0");
  p.add("left", "1.0.0", {"shared>=1"}).add("right", "1.0.0", {"shared<2"});
  p.add("shared", "2.0.0").add("shared", "1.0.0", {"target<2"});
  p.add("target", "2.0.0").add("target", "1.0.0");
  EXPECT_EQ(solved(p, {"foo>=1", "target>=2"}), "foo 1.0.0, target 2.0.0");
}

TEST(Solver, JumpsBackOverDecisionsThatHaveNothingToDoWithTheConflict) {
  MemoryProvider p;
  p.add("a", "1.0", {"x>=1"}).add("a", "2.0", {"x>=2"});
  for (int i = 1; i <= 20; ++i) p.add("between", std::to_string(i));
  p.add("z", "1.0", {"x<2"}).add("x", "1.0").add("x", "2.0");
  EXPECT_EQ(solved(p, {"a", "between", "z"}), "a 1.0, between 20, x 1.0, z 1.0");
  EXPECT_LE(std::count_if(p.asked_metadata.begin(), p.asked_metadata.end(),
                          [](const std::string& s) { return s.rfind("between", 0) == 0; }),
            4);
}

TEST(Solver, HandlesCycles) {
  MemoryProvider p;
  p.add("a", "1.0", {"b>=1"}).add("b", "1.0", {"c"}).add("c", "1.0", {"a>=1"});
  EXPECT_EQ(solved(p, {"a"}), "a 1.0, b 1.0, c 1.0");
}

TEST(Solver, TurnsDownAVersionThatRequiresAnotherVersionOfItself) {
  MemoryProvider p;
  p.add("a", "2.0", {"a<2"}).add("a", "1.0", {"a>=1"});
  EXPECT_EQ(solved(p, {"a"}), "a 1.0");
}

TEST(Solver, ReadsOnlyTheDependenciesWhoseMarkerHolds) {
  MemoryProvider p;
  p.add("a", "1.0", {"win; sys_platform == 'win32'", "lin; sys_platform == 'linux'", "old; python_version < '3.8'"});
  p.add("win", "1.0").add("lin", "1.0");
  EXPECT_EQ(solved(p, {"a", "never; sys_platform == 'win32'"}), "a 1.0, lin 1.0");
  EXPECT_EQ(p.asked_versions, (std::vector<std::string>{"a", "lin"}));
}

TEST(Solver, QuestionsAPackageThatKeepsStandingInTheWay) {
  MemoryProvider p;
  p.add("a", "1.0.0").add("a", "2.0.0").add("too-old", "1.0.0");
  p.add("b", "1.0.0", {"too-old"});
  for (int i = 0; i < 60; ++i) p.add("b", "2.0." + std::to_string(i), {"a==1.0.0"});
  EXPECT_EQ(solved(p, {"a", "b"}), "a 1.0.0, b 2.0.59");
  EXPECT_LT(p.asked_metadata.size(), 40u);
}

TEST(Solver, QuestionsItAlsoWhenTheClashIsOneStepAway) {
  MemoryProvider p;
  p.add("a", "1.0.0").add("a", "2.0.0").add("too-old", "1.0.0");
  p.add("b", "1.0.0", {"b-inner"}).add("b-inner", "1.0.0", {"too-old"});
  for (int i = 0; i < 60; ++i) p.add("b-inner", "2.0." + std::to_string(i), {"a==1.0.0"});
  EXPECT_EQ(solved(p, {"a", "b"}), "a 1.0.0, b 1.0.0, b-inner 2.0.59");
}

TEST(Solver, GivesTheSameAnswerEachTime) {
  for (int round = 0; round < 3; ++round) {
    MemoryProvider p;
    p.add("a", "2", {"c<2"}).add("a", "1", {"c"}).add("b", "2", {"c>=2"}).add("b", "1").add("c", "1").add("c", "2");
    EXPECT_EQ(solved(p, {"a", "b"}), "a 2, b 1, c 1");
  }
}

TEST(Solver, NamesThePairThatClashedMostWhenItGivesUp) {
  MemoryProvider p;
  for (int i = 0; i < 40; ++i) {
    const std::string n = std::to_string(i);
    p.add("a", n, {"shared==" + n}).add("b", n, {"shared==" + std::to_string(i + 100)});
    p.add("shared", n).add("shared", std::to_string(i + 100));
  }
  SolveRequest request = request_of({"a", "b"});
  request.max_steps = 12;
  try {
    solve(request, p);
    FAIL() << "should have given up";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::failed);
    EXPECT_NE(error.cause().find("`a`"), std::string::npos) << error.cause();
    EXPECT_NE(error.cause().find("`b`"), std::string::npos) << error.cause();
  }
}

TEST(Solver, TellsWhatEachPinNeedsAndWhoNeedsIt) {
  MemoryProvider p;
  p.add("a", "1.0", {"B_x", "c[y]"}).add("b-x", "1.0", {"c"}).add("c", "1.0", {"d; extra == 'y'"}).add("d", "1.0");
  const auto outcome = solve(request_of({"a", "c"}), p);
  const auto& pins = std::get<Resolution>(outcome).pins;
  ASSERT_EQ(pins.size(), 4u);
  EXPECT_EQ(pins[0].dependencies, (std::vector<std::string>{"b-x", "c"}));
  EXPECT_EQ(pins[0].required_by, (std::vector<std::string>{"pyproject.toml:1"}));
  EXPECT_EQ(pins[2].extras, (std::vector<std::string>{"y"}));
  EXPECT_EQ(pins[2].dependencies, (std::vector<std::string>{"d"}));
  EXPECT_EQ(pins[2].required_by, (std::vector<std::string>{"a", "b-x", "pyproject.toml:2"}));
}

TEST(Solver, AnnouncesPackagesBeforeItAsksForThem) {
  MemoryProvider p;
  p.add("a", "1.0", {"b", "c"}).add("b", "1.0").add("c", "1.0");
  solved(p, {"a"});
  EXPECT_EQ(p.prefetched, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(p.prefetched_metadata, (std::vector<std::string>{"a 1.0", "b 1.0", "c 1.0"}));
}

TEST(Solver, SolvesSudokuLikeKnots) {
  // Eight queens as requirements: row r in column c excludes what it attacks.
  MemoryProvider p;
  constexpr int kSize = 8;
  for (int r = 0; r < kSize; ++r) {
    for (int c = 0; c < kSize; ++c) {
      std::vector<std::string> needs;
      for (int o = 0; o < kSize; ++o) {
        if (o == r) continue;
        std::string spec = "row" + std::to_string(o) + "!=" + std::to_string(c);
        for (const int d : {c - (o - r), c + (o - r)}) {
          if (d >= 0 && d < kSize && d != c) spec += ",!=" + std::to_string(d);
        }
        needs.push_back(spec);
      }
      p.add("row" + std::to_string(r), std::to_string(c), needs);
    }
  }
  const auto outcome = solve(request_of({"row0"}), p);
  const auto& pins = std::get<Resolution>(outcome).pins;
  ASSERT_EQ(pins.size(), 8u);
  for (size_t i = 0; i < pins.size(); ++i) {
    for (size_t j = i + 1; j < pins.size(); ++j) {
      const auto a = static_cast<int64_t>(pins[i].version.release()[0]);
      const auto b = static_cast<int64_t>(pins[j].version.release()[0]);
      EXPECT_NE(a, b);
      EXPECT_NE(std::abs(a - b), static_cast<int64_t>(j - i));
    }
  }
}

}  // namespace
}  // namespace dae::resolver
