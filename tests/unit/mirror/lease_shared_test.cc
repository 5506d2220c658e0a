// One process's use of a lease by all of its threads.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "memory_lease.h"
#include "mirror/storage/shared_lease.h"
#include "support/error_of.h"

namespace dae::mirror {
namespace {

using dae::testing::error_of;
using testing::MemoryLease;

bool soon(const std::function<bool()>& condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    SystemClock().sleep_ms(10);
  }
  return false;
}

class Shared : public ::testing::Test {
 protected:
  MemoryLease lease_;
  SystemClock clock_;
};

TEST_F(Shared, IsTakenWithTheFirstUserAndGivenBackAfterTheLast) {
  const auto shared = share_lease(lease_, clock_, {.wait_ms = 1000, .linger_ms = 30, .longest_hold_ms = 10'000});
  EXPECT_FALSE(lease_.is_held());
  auto first = shared->use();
  EXPECT_TRUE(lease_.is_held());
  EXPECT_EQ(first->fence(), 1);
  std::thread([&] { EXPECT_EQ(shared->use()->fence(), 1); }).join();
  EXPECT_TRUE(lease_.is_held());
  first.reset();
  EXPECT_EQ(shared->use()->fence(), 1) << "kept for a moment";
  EXPECT_TRUE(soon([&] { return !lease_.is_held(); }));
  EXPECT_EQ(shared->use()->fence(), 2);
}

TEST_F(Shared, IsGivenBackAtItsEnd) {
  {
    const auto shared = share_lease(lease_, clock_, {.wait_ms = 1000, .linger_ms = 60'000, .longest_hold_ms = 60'000});
    shared->use();
    EXPECT_TRUE(lease_.is_held());
  }
  EXPECT_FALSE(lease_.is_held());
}

TEST_F(Shared, IsHadAtOnceByAThreadThatUsesIt) {
  ManualClock clock;
  const auto shared = share_lease(lease_, clock, {.wait_ms = 100, .linger_ms = 100, .longest_hold_ms = 1000});
  const auto outer = shared->use();
  clock.advance_ms(1'000'000);
  lease_.take_away();
  EXPECT_EQ(shared->use()->fence(), outer->fence());
  EXPECT_FALSE(outer->holds_for(0));
}

TEST_F(Shared, IsAcquiredAnewWhenItWasLost) {
  const auto shared = share_lease(lease_, clock_, {.wait_ms = 1000, .linger_ms = 60'000, .longest_hold_ms = 60'000});
  EXPECT_EQ(shared->use()->fence(), 1);
  lease_.take_away();
  const auto again = shared->use();
  EXPECT_EQ(again->fence(), 2);
  EXPECT_TRUE(again->holds_for(1000));
}

TEST_F(Shared, IsGivenToOthersUnderConstantUse) {
  const auto shared = share_lease(lease_, clock_, {.wait_ms = 20'000, .linger_ms = 1000, .longest_hold_ms = 100});
  std::atomic<bool> stop{false};
  std::atomic<int> uses{0};
  std::vector<std::thread> users;
  for (int i = 0; i < 4; ++i) {
    users.emplace_back([&] {
      while (!stop) {
        const auto held = shared->use();
        EXPECT_TRUE(held->holds_for(0));
        ++uses;
        SystemClock().sleep_ms(5);
      }
    });
  }
  for (int turn = 0; turn < 3; ++turn) {
    const auto other = lease_.acquire(5000);
    EXPECT_TRUE(other->holds_for(0));
    const int before = uses;
    SystemClock().sleep_ms(20);
    EXPECT_EQ(uses, before) << "nobody here uses it while another has it";
  }
  const int before = uses;
  EXPECT_TRUE(soon([&] { return uses > before; }));
  stop = true;
  for (std::thread& user : users) user.join();
}

TEST_F(Shared, SaysWhoHasItWhenItCannotBeHad) {
  const auto other = lease_.acquire(0);
  const auto shared = share_lease(lease_, clock_, {.wait_ms = 20, .linger_ms = 10, .longest_hold_ms = 1000});
  EXPECT_EQ(error_of([&] { shared->use(); }).kind(), ErrorKind::refused);
  lease_.set_down(true);
  EXPECT_EQ(error_of([&] { shared->use(); }).kind(), ErrorKind::network);
}

TEST_F(Shared, DoesNotWaitForEverForItsOwnUsers) {
  ManualClock clock;
  const auto shared = share_lease(lease_, clock_, {.wait_ms = 50, .linger_ms = 10, .longest_hold_ms = 0});
  const auto held = shared->use();
  std::thread([&] { EXPECT_EQ(error_of([&] { shared->use(); }).kind(), ErrorKind::refused); }).join();
}

TEST_F(Shared, MayBeLetGoOfOnAnotherThread) {
  const auto shared = share_lease(lease_, clock_, {.wait_ms = 1000, .linger_ms = 10, .longest_hold_ms = 10'000});
  auto held = shared->use();
  std::thread([moved = std::move(held)]() mutable { moved.reset(); }).join();
  EXPECT_TRUE(soon([&] { return !lease_.is_held(); }));
}

}  // namespace
}  // namespace dae::mirror
