#include "mirror/single_flight.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "mirror/index/gate.h"
#include "mirror/index/render_cache.h"

namespace dae::mirror {
namespace {

TEST(SingleFlight, DoesTheWorkOnceForAllWhoAskMeanwhile) {
  SingleFlight<int> flights;
  std::atomic<int> done{0}, sum{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 10; ++i) {
    threads.emplace_back([&] {
      sum += flights.run("key", [&] {
        SystemClock().sleep_ms(100);
        ++done;
        return 7;
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(sum, 70);
}

TEST(SingleFlight, GivesItsFailureToAllAndThenForgetsIt) {
  SingleFlight<int> flights;
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 5; ++i) {
    threads.emplace_back([&] {
      try {
        flights.run("key", [&]() -> int {
          SystemClock().sleep_ms(50);
          throw Error(ErrorKind::network, "down");
        });
      } catch (const Error& error) {
        if (error.message() == "down") ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 5);
  EXPECT_EQ(flights.run("key", [] { return 1; }), 1);
}

TEST(Gate, TurnsAwayWhatDoesNotFit) {
  Gate gate(2);
  {
    const Gate::Pass first(gate);
    const Gate::Pass second(gate);
    EXPECT_THROW(Gate::Pass third(gate), TooBusy);
  }
  EXPECT_NO_THROW(Gate::Pass again(gate));
}

TEST(RenderCache, RendersAgainOnlyForAnotherVersionOrALaterTime) {
  RenderCache cache(3000);  // two small pages
  int rendered = 0;
  const auto render = [&] { return std::string(40, static_cast<char>('a' + rendered++)); };
  const std::string first = cache.get("x", "1", 0, render)->etag;
  EXPECT_EQ(cache.get("x", "1", 0, render)->etag, first);
  EXPECT_EQ(rendered, 1);
  EXPECT_NE(cache.get("x", "2", 0, render)->etag, first);
  EXPECT_EQ(rendered, 2);
  const auto until_nine = [&] { return Rendering(render(), 9); };
  cache.get("x", "3", 8, until_nine);
  cache.get("x", "3", 8, until_nine);
  EXPECT_EQ(rendered, 3);
  cache.get("x", "3", 9, until_nine);
  EXPECT_EQ(rendered, 4);
}

TEST(RenderCache, LetsTheLeastRecentlyAskedGo) {
  RenderCache cache(3000);  // two small pages
  int rendered = 0;
  const auto render = [&] { return ++rendered, std::string(40, 'a'); };
  cache.get("x", "1", 0, render);
  cache.get("y", "1", 0, render);
  cache.get("x", "1", 0, render);
  cache.get("z", "1", 0, render);  // y goes
  cache.get("x", "1", 0, render);
  EXPECT_EQ(rendered, 3);
  cache.get("y", "1", 0, render);
  EXPECT_EQ(rendered, 4);
  // Larger than the whole cache: answered, not kept.
  EXPECT_EQ(cache.get("huge", "1", 0, [] { return std::string(10'000, 'h'); })->body.size(), 10'000u);
}

}  // namespace
}  // namespace dae::mirror
