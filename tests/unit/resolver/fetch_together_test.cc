// Many files, and many who want them, at the same time.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "fetch_from_afar.h"

namespace dae::resolver {
namespace {

using testing::FetchFromAfar;

TEST_F(FetchFromAfar, AsksAHostForNoMoreAtOnceThanItMay) {
  std::vector<Selected> wanted;
  for (int i = 0; i < 12; ++i) wanted.push_back(offer("p" + std::to_string(i), {noise(100, i + 1), {}, {}, true, 10}));
  FetchOptions options;
  options.max_per_host = 3;
  fetch_with(wanted, options);
  EXPECT_EQ(blobs(), 12u);
  EXPECT_LE(most_, 3);
  EXPECT_GT(most_, 1) << "they were fetched one after the other";
}

TEST_F(FetchFromAfar, BeginsWithTheLargest) {
  std::vector<Selected> wanted;
  for (int i : {2, 5, 1, 4, 3})
    wanted.push_back(offer("p" + std::to_string(i), {noise(1000u * static_cast<unsigned>(i)), {}, {}}));
  FetchOptions options;
  options.max_per_host = 1;
  fetch_with(wanted, options);
  ASSERT_EQ(order_.size(), 5u);
  for (size_t i = 0; i < 5; ++i) EXPECT_TRUE(order_[i].starts_with("/p" + std::to_string(5 - i))) << order_[i];
}

TEST_F(FetchFromAfar, TellsOfEachWheelOnceWhenItIsThere) {
  std::vector<Selected> wanted;
  for (int i = 0; i < 5; ++i) wanted.push_back(offer("p" + std::to_string(i), {noise(1000, i + 1), {}, {}}));
  wanted.push_back(wanted[0]);
  wanted.back().name = "again";
  fetch({wanted[4]});
  std::mutex mutex;
  std::vector<std::string> told;
  FetchOptions options;
  options.on_wheel = [&](const WheelToInstall& wheel) {
    std::scoped_lock lock(mutex);
    EXPECT_TRUE(blobs_->has(wheel.digest));
    told.push_back(wheel.name);
  };
  fetch_with(wanted, options);
  std::ranges::sort(told);
  EXPECT_EQ(told, (std::vector<std::string>{"again", "p0", "p1", "p2", "p3", "p4"}));
  EXPECT_EQ(order_.size(), 5u) << "one download for one file";
}

TEST_F(FetchFromAfar, ManyAtOnceFetchAFileOnce) {
  const std::string bytes = noise(3'000'000);
  const Selected wanted = offer("a", {bytes, {}, {}, true, 50});
  std::vector<std::thread> others;
  for (int i = 0; i < 4; ++i) {
    others.emplace_back([&] {
      // As in another process: a client and a store of its own.
      const auto transport = make_http_client();
      const auto blobs = open_blob_store(dir_.path() / "blobs", Durability::none);
      NullSink quiet;
      fetch_selected({wanted}, python_, *transport, *blobs, dir_.path() / "fetch-cache", *runner_, quiet);
      EXPECT_EQ(blobs->read(Digest::of(bytes)), bytes);
    });
  }
  for (std::thread& other : others) other.join();
  EXPECT_EQ(order_.size(), 1u);
  EXPECT_TRUE(parts().empty());
}

TEST_F(FetchFromAfar, OneThatIsKilledDoesNotHoldUpTheOther) {
  const std::string bytes = noise(600'000);
  const Selected wanted = offer("a", {bytes, {}, {}, true, 20'000});
  const pid_t child = fork();
  if (child == 0) {
    try {
      const auto transport = make_http_client();
      fetch_selected({wanted}, python_, *transport, *blobs_, dir_.path() / "fetch-cache", *runner_, events_);
    } catch (const std::exception&) {
    }
    _exit(0);
  }
  while (!exists(part(wanted))) SystemClock().sleep_ms(1);
  {
    std::scoped_lock lock(mutex_);
    offers_.begin()->second.pause_ms = 0;
  }
  std::thread killer([&] {
    SystemClock().sleep_ms(100);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  });
  fetch({wanted});
  killer.join();
  EXPECT_EQ(blobs_->read(Digest::of(bytes)), bytes);
}

}  // namespace
}  // namespace dae::resolver
