// Unpacking that is killed, at every single change it makes to the disk: the next run ends right and cleans up.
#include "kill_at.h"
#include "quick_disk.h"
#include "resolver/install/store_collect.h"
#include "store_fixture.h"

namespace dae::resolver {
namespace {

using testing::fancy_wheel;
using testing::Outcome;
using testing::StoreFixture;
using testing::TracedChild;

class StoreCrash : private testing::QuickDisk, public StoreFixture {
 protected:
  // Returns false where processes cannot be traced.
  void kill_at_every(int step) {
    const std::vector<WheelToInstall> wheels{
        stored(fancy_wheel()), stored(testing::WheelBuilder("other", "1").file("other/a.py", "").file("b.py", ""))};
    for (int at = 0;; at += step) {
      // A new place each time: ext4 is slow to make files where many were just removed.
      store_.unpacked = dir_.path() / ("store" + std::to_string(at));
      const Outcome outcome = TracedChild([&] { unpack(wheels); }).run_until(at);
      if (outcome == Outcome::untraceable) GTEST_SKIP() << "processes cannot be traced here";
      EXPECT_LE(leftovers().size(), 1u);
      const bool is_complete = entries().size() == wheels.size();
      for (const std::string& name : entries()) {
        EXPECT_TRUE(find_unpacked(store_, name.substr(0, 64), tag())) << "half an entry after change " << at;
      }
      for (const StoredWheel& wheel : unpack(wheels)) expect_to_be_whole(wheel);
      EXPECT_EQ(entries().size(), wheels.size());
      // Who has nothing to unpack does not clean up; what is of no known state has to be an hour old first.
      const auto still = leftovers();
      EXPECT_TRUE(is_complete || still.empty() || still[0].starts_with("n-")) << "after change " << at;
      for (const StoreRemoval& removal : plan_collection(store_, UINT64_MAX, INT64_MAX)) {
        collect_unpacked(store_, {removal});
      }
      EXPECT_TRUE(leftovers().empty()) << "after change " << at;
      if (outcome == Outcome::done) {
        EXPECT_GT(at, 30);
        return;
      }
    }
  }
};

TEST_F(StoreCrash, LeavesWholeEntriesOnly) {
  kill_at_every(1);
}

TEST_F(StoreCrash, LeavesWholeEntriesOnlyWhenTheyAreCompiledAndPublishedTogether) {
  store_.bytecode = true;
  kill_at_every(7);
}

TEST_F(StoreCrash, LeavesWholeEntriesOnlyWhenTheyAreCollected) {
  const WheelToInstall wheel = stored(fancy_wheel());
  for (int at = 0;; ++at) {
    store_.unpacked = dir_.path() / ("store" + std::to_string(at));
    unpack({wheel});
    const Outcome outcome = TracedChild([&] { collect_unpacked(store_, plan_collection(store_, 0, 0)); }).run_until(at);
    if (outcome == Outcome::untraceable) GTEST_SKIP() << "processes cannot be traced here";
    expect_to_be_whole(unpack({wheel}).at(0));
    if (outcome == Outcome::done) break;
  }
}

}  // namespace
}  // namespace dae::resolver
