// How the search goes about: what it fetches ahead, how far it walks back, where it stops, how its cost grows.
#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "memory_provider.h"

namespace dae::resolver {
namespace {

std::string numbered(const std::string& name, int n) {
  return name + std::to_string(n);
}

TEST(SolverWalk, GoesThroughHundredsOfVersionsThatHaveWheels) {
  MemoryProvider p;
  for (int i = 0; i < 700; ++i) {
    const std::string v = numbered("1.", i);
    p.add("boto", v, {"core>=" + v + ",<" + numbered("1.", i + 3)});
    p.add("core", v, {i < 20 ? "http<2" : "http>=2"});
  }
  p.add("http", "1.0").add("http", "2.0");
  EXPECT_EQ(solved(p, {"http<2", "boto"}), "boto 1.19, core 1.19, http 1.0");
}

TEST(SolverWalk, FetchesAheadInBatchesAndNeverSdists) {
  MemoryProvider p;
  for (int i = 0; i < 100; ++i) {
    const std::string v = numbered("1.", i);
    if (i % 10 == 5) {
      p.add_unusable("boto", v, "is broken");
    } else {
      p.add("boto", v, {"core==" + v});
    }
    p.add("core", v, {i < 5 ? "http<2" : "http>=2"});
  }
  p.add_sdist("boto", "0.9").add_sdist("core", "0.9").add("http", "1.0").add("http", "2.0");
  solved(p, {"http<2", "boto"});
  const std::set<std::string> fetched(p.prefetched_metadata.begin(), p.prefetched_metadata.end());
  EXPECT_TRUE(fetched.contains("boto 1.60"));
  EXPECT_TRUE(fetched.contains("core 1.60")) << "packages in lockstep have one possible version at a time";
  EXPECT_FALSE(fetched.contains("boto 0.9"));
  EXPECT_FALSE(fetched.contains("core 0.9"));
}

TEST(SolverWalk, QuestionsTheOrderBeforeItReadsAnSdist) {
  MemoryProvider p;
  p.add("dill", "3.8").add("dill", "3.1");
  p.add("beam", "49", {"dill<3.2"}).add("beam", "48", {"dill<3.2"});
  for (int i = 1; i < 40; ++i) p.add_sdist("beam", std::to_string(i), {"dill<3.2"});
  EXPECT_EQ(solved(p, {"dill", "beam"}), "beam 49, dill 3.1");
  for (const std::string& asked : p.asked_metadata) EXPECT_FALSE(asked.starts_with("beam 3")) << asked;
}

TEST(SolverWalk, BuildsTenSdistsOfAPackageIfItMust) {
  MemoryProvider p;
  p.add("numpy", "2.1");
  for (int i = 10; i < 20; ++i) p.add_sdist("numba", std::to_string(i), {i == 10 ? "numpy" : "numpy<2"});
  p.add("numba", "20", {"numpy<2"});
  EXPECT_EQ(solved(p, {"numpy>=2", "numba"}), "numba 10, numpy 2.1");
}

TEST(SolverWalk, StopsBeforeMoreAndNamesThePair) {
  MemoryProvider p;
  p.add("numpy", "2.1");
  for (int i = 1; i < 40; ++i) p.add_sdist("numba", std::to_string(i), {"numpy<2"});
  p.add("numba", "50", {"numpy<2"});
  p.add("top", "1.0", {"numpy>=2"});
  try {
    solve(request_of({"top", "numba"}), p);
    FAIL() << "should have stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::failed);
    EXPECT_EQ(std::string(error.message()), "none of the 11 versions of `numba` tried so far fits");
    EXPECT_NE(error.hint().find("`numba>=30`"), std::string::npos) << error.hint();
  }
  EXPECT_LT(std::count_if(p.asked_metadata.begin(), p.asked_metadata.end(),
                          [](const std::string& s) { return s.starts_with("numba"); }),
            15);
}

TEST(SolverWalk, StopsAtTheSdistsAfterTwentyWheels) {
  MemoryProvider p;
  p.add("x", "2").add("x", "1");
  for (int i = 1; i < 10; ++i) p.add_sdist("a", std::to_string(i), {"x<2"});
  for (int i = 10; i < 40; ++i) p.add("a", std::to_string(i), {"y<2"});
  p.add("y", "2").add("y", "1").add("b", "1", {"y>=2"});
  EXPECT_THROW(solve(request_of({"b", "a"}), p), Error);
}

// Stands for a network: what was announced arrives together, what was not costs a round trip of its own.
class FarProvider : public MemoryProvider {
 public:
  const Versions& versions(const std::string& package) override {
    wait_for("page " + package);
    return MemoryProvider::versions(package);
  }
  const Dependencies& dependencies(const std::string& package, const Version& version) override {
    wait_for(package + " " + version.text());
    return MemoryProvider::dependencies(package, version);
  }
  void prefetch(const std::vector<std::string>& packages) override {
    for (const std::string& package : packages) on_the_way_.insert("page " + package);
  }
  void prefetch_metadata(const std::string& package, const Version& version) override {
    on_the_way_.insert(package + " " + version.text());
  }
  int round_trips = 0;

 private:
  void wait_for(const std::string& item) {
    if (here_.contains(item)) return;
    ++round_trips;
    here_.insert(item);
    here_.merge(on_the_way_);
    on_the_way_.clear();
  }
  std::set<std::string> on_the_way_, here_;
};

TEST(SolverWalk, CostsTwoRoundTripsAGeneration) {
  FarProvider p;
  std::vector<std::string> roots;
  constexpr int kGenerations = 5, kWidth = 20;
  for (int g = 0; g < kGenerations; ++g) {
    for (int i = 0; i < kWidth; ++i) {
      std::vector<std::string> needs;
      if (g + 1 < kGenerations) {
        for (int k = 0; k < 3; ++k) needs.push_back(numbered(numbered("g", g + 1) + "-", (i * 3 + k) % kWidth));
      }
      const std::string name = numbered(numbered("g", g) + "-", i);
      for (const char* version : {"1.0", "2.0", "3.0"}) p.add(name, version, needs);
      if (g == 0) roots.push_back(name);
    }
  }
  const auto outcome = solve(request_of(roots), p);
  EXPECT_EQ(std::get<Resolution>(outcome).pins.size(), static_cast<size_t>(kGenerations * kWidth));
  EXPECT_EQ(p.round_trips, 2 * kGenerations);
}

int64_t steps_for(int packages, int versions, size_t* read) {
  MemoryProvider p;
  for (int i = 0; i < packages; ++i) {
    for (int v = 1; v <= versions; ++v) {
      std::vector<std::string> needs;
      for (const int step : {1, 7, 31}) {
        if (i + step < packages) needs.push_back(numbered("p", i + step) + ">=" + std::to_string((v + 1) / 2));
      }
      p.add(numbered("p", i), std::to_string(v), needs);
    }
  }
  const auto outcome = solve(request_of({"p0"}), p);
  *read = p.asked_metadata.size();
  return std::get<Resolution>(outcome).steps;
}

TEST(SolverWalk, TouchesOnlyWhatItNeedsWhenThereIsMore) {
  size_t few = 0, many = 0;
  EXPECT_EQ(steps_for(100, 10, &few), 100);
  EXPECT_EQ(steps_for(1000, 100, &many), 1000);
  EXPECT_EQ(few, 100u);
  EXPECT_EQ(many, 1000u);
}

}  // namespace
}  // namespace dae::resolver
