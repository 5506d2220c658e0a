// What of the store goes, in which order, and what environments need.
#include <fcntl.h>
#include <sys/stat.h>

#include <thread>

#include "base/clock.h"
#include "resolver/install/env_state.h"
#include "resolver/install/store_collect.h"
#include "store_fixture.h"

namespace dae::resolver {
namespace {

using testing::StoreFixture;
using testing::WheelBuilder;

constexpr int64_t kHourMs = 3600 * 1000, kDayMs = 24 * kHourMs;

class Collection : public StoreFixture {
 protected:
  StoredWheel wheel_used(const std::string& name, int64_t days_ago) {
    const StoredWheel wheel = unpack(WheelBuilder(name, "1").file("x.txt", std::string(1000, 'x')));
    set_used(wheel, now_ms_ - days_ago * kDayMs);
    return wheel;
  }
  static void set_used(const StoredWheel& wheel, int64_t at_ms) {
    const timespec at{at_ms / 1000, 0};
    const timespec times[] = {at, at};
    ASSERT_EQ(utimensat(AT_FDCWD, (wheel.dir / "manifest").c_str(), times, 0), 0);
  }
  static int64_t used_ms(const StoredWheel& wheel) { return file_info(wheel.dir / "manifest")->mtime_ns / 1'000'000; }

  Path environment(const std::string& name, const std::string& link_mode, const std::vector<StoredWheel>& wheels) {
    const Path env = dir_.path() / name;
    make_dirs(env);
    EnvState state;
    state.prefix = env.string();
    state.cache_tag = python_.cache_tag;
    state.link_mode = link_mode;
    for (const StoredWheel& wheel : wheels) {
      state.packages.push_back({"x", "1", wheel.dir.filename().string().substr(0, 64), wheel.dist_info});
    }
    write_env_state(env, state, Durability::none);
    register_environment(store_, env);
    return env;
  }

  std::vector<StoreRemoval> plan(uint64_t limit_bytes = 0) { return plan_collection(store_, limit_bytes, now_ms_); }
  std::vector<Path> planned(uint64_t limit_bytes = 0) {
    std::vector<Path> out;
    for (const StoreRemoval& removal : plan(limit_bytes)) out.push_back(removal.path);
    return out;
  }
  const int64_t now_ms_ = SystemClock().wall_ms();
};

TEST_F(Collection, TakesTheLeastRecentlyUsedUntilTheLimitHolds) {
  const StoredWheel a = wheel_used("a", 5), b = wheel_used("b", 9), c = wheel_used("c", 2);
  EXPECT_EQ(planned(), (std::vector<Path>{b.dir, a.dir, c.dir}));
  EXPECT_EQ(planned(a.size_bytes + b.size_bytes + c.size_bytes), std::vector<Path>{});
  EXPECT_EQ(planned(a.size_bytes + b.size_bytes + c.size_bytes - 1), std::vector<Path>{b.dir});
  EXPECT_EQ(plan()[0].bytes, b.size_bytes);
  EXPECT_EQ(collect_unpacked(store_, plan(c.size_bytes)), a.size_bytes + b.size_bytes);
  EXPECT_EQ(entries(), std::vector<std::string>{c.dir.filename().string()});
  EXPECT_TRUE(plan(c.size_bytes).empty());
}

TEST_F(Collection, ToBeAskedForIsToBeUsed) {
  const StoredWheel a = wheel_used("a", 5), b = wheel_used("b", 3);
  const std::string digest = a.dir.filename().string().substr(0, 64);
  find_unpacked(store_, digest, tag());
  EXPECT_GT(used_ms(a), now_ms_ - kHourMs);
  EXPECT_EQ(planned(), (std::vector<Path>{b.dir, a.dir}));
  set_used(a, now_ms_ - kDayMs / 2);  // once a day is enough
  find_unpacked(store_, digest, tag());
  EXPECT_LT(used_ms(a), now_ms_ - kHourMs);
}

TEST_F(Collection, NeverTakesWhatAnEnvironmentIsLinkedInto) {
  const StoredWheel linked = wheel_used("linked", 9), shared = wheel_used("shared", 9), free = wheel_used("free", 1);
  const Path env = environment("links", "symlink", {linked});
  environment("inodes", "hardlink", {shared});
  EXPECT_EQ(planned(), (std::vector<Path>{free.dir, shared.dir}));
  remove_all(env);
  EXPECT_EQ(plan().size(), 4u);
  EXPECT_EQ(plan()[0].why, "its environment is gone");
  collect_unpacked(store_, plan());
  EXPECT_TRUE(entries().empty());
  EXPECT_EQ(list_dir(store_.unpacked / "roots").size(), 1u);
}

TEST_F(Collection, AlsoKeepsWhatIsBeingLinkedAndTheEntryWithBytecode) {
  const WheelToInstall wheel = stored(WheelBuilder("a", "1").file("a.py", ""));
  unpack({wheel});
  store_.bytecode = true;
  unpack({wheel});
  const Path env = environment("env", "symlink", {});
  EnvState state = *read_env_state(env);
  state.applying.push_back({"a", "1", wheel.digest.hex(), "a-1.dist-info"});
  write_env_state(env, state, Durability::none);
  EXPECT_EQ(planned(), std::vector<Path>{});
}

TEST_F(Collection, TakesNothingWhenAnEnvironmentDoesNotSayWhatItNeeds) {
  wheel_used("a", 9);
  const Path env = environment("env", "hardlink", {});
  write_file_atomic(env / "dae-env.json", "{\"format\": 99}");
  EXPECT_EQ(planned(), std::vector<Path>{});
}

TEST_F(Collection, LooksAtTheEnvironmentsAgainBeforeItRemoves) {
  const StoredWheel a = wheel_used("a", 9);
  const Path env = environment("env", "hardlink", {a});
  remove_all(env);
  const std::vector<StoreRemoval> old = plan();
  EXPECT_EQ(old.size(), 2u);
  environment("env", "symlink", {a});
  EXPECT_EQ(collect_unpacked(store_, old), 0u);
  EXPECT_EQ(entries().size(), 1u);
  EXPECT_EQ(list_dir(store_.unpacked / "roots").size(), 1u);
}

TEST_F(Collection, TakesWhatKilledRunsAndOtherVersionsLeft) {
  const StoredWheel good = wheel_used("good", 1);
  const std::string other = std::string(64, 'a') + "-cpython-311";
  write_file_atomic((make_dirs(store_.unpacked / other / "tree"), store_.unpacked / other / "manifest"),
                    "dae-wheel 1\n");
  make_dirs(store_.unpacked / ".unpacking-x/tree");
  const Path dead = store_.unpacked / "tmp/w-dead", young = store_.unpacked / "tmp/n-young";
  make_dirs(dead);
  make_dirs(young);
  write_file_atomic(dead / "lock", "");
  write_file_atomic(dead / "x", "12345");
  const FileLock alive =
      FileLock::acquire((make_dirs(store_.unpacked / "tmp/w-alive"), store_.unpacked / "tmp/w-alive/lock"));
  EXPECT_EQ(planned(UINT64_MAX), (std::vector<Path>{dead, store_.unpacked / ".unpacking-x", store_.unpacked / other}));
  EXPECT_GE(plan(UINT64_MAX)[0].bytes, 5u);
  EXPECT_EQ(plan_collection(store_, UINT64_MAX, now_ms_ + 2 * kHourMs).size(), 4u) << "unlocked and old";
  collect_unpacked(store_, plan(UINT64_MAX));
  EXPECT_EQ(leftovers(), (std::vector<std::string>{"n-young", "w-alive"}));
  EXPECT_EQ(entries(), std::vector<std::string>{good.dir.filename().string()});
}

TEST_F(Collection, WaitsForWhoeverUsesTheStore) {
  wheel_used("a", 9);
  auto use = std::make_optional(lock_store_for_use(store_));
  auto another = std::make_optional(lock_store_for_use(store_));
  std::thread collector([&] { collect_unpacked(store_, plan()); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(entries().size(), 1u);
  use.reset();
  another.reset();
  collector.join();
  EXPECT_TRUE(entries().empty());
}

TEST_F(Collection, OfAStoreThatIsNotThereIsNothing) {
  EXPECT_TRUE(plan().empty());
  EXPECT_EQ(collect_unpacked(store_, {}), 0u);
}

TEST_F(Collection, AnEnvironmentIsRegisteredOnce) {
  const Path env = environment("env", "symlink", {});
  register_environment(store_, env);
  const auto names = list_dir(store_.unpacked / "roots");
  ASSERT_EQ(names.size(), 1u);
  EXPECT_EQ(read_link(store_.unpacked / "roots" / names[0]), env.string());
}

TEST_F(Collection, KnowsEnvironmentsThatWereRegisteredInFiles) {
  const StoredWheel linked = wheel_used("linked", 9);
  const Path env = environment("env", "symlink", {linked});
  const Path root = store_.unpacked / "roots" / list_dir(store_.unpacked / "roots").at(0);
  remove_file(root);
  write_file_atomic(root, env.string());
  EXPECT_EQ(planned(), std::vector<Path>{});
}

}  // namespace
}  // namespace dae::resolver
