// Installations by several processes at once, into one environment or into several that share a store, while a third
// collects what seems to be unused.
#include "base/clock.h"
#include "crash_fixture.h"
#include "resolver/install/store_collect.h"

namespace dae::resolver {
namespace {

using testing::CrashFixture;
using testing::difference;
using testing::fancy_wheel;
using testing::Snapshot;
using testing::WheelBuilder;

constexpr int kRounds = 8;

// Processes that begin at the same moment.
class Processes {
 public:
  Processes() { EXPECT_EQ(pipe(gate_), 0); }
  ~Processes() {
    close(gate_[0]);
    if (!is_open_) finish();
  }
  void add(const std::function<void()>& body) {
    children_.push_back(fork());
    if (children_.back() != 0) return;
    close(gate_[1]);
    char nothing = 0;
    std::ignore = read(gate_[0], &nothing, 1);  // until the other end is closed
    try {
      body();
    } catch (const std::exception& error) {
      fprintf(stderr, "in the child: %s\n", error.what());
      _exit(1);
    }
    _exit(0);
  }
  // Opens the gate and waits for all.
  void finish() {
    is_open_ = true;
    close(gate_[1]);
    for (const pid_t child : children_) {
      int status = 0;
      waitpid(child, &status, 0);
      EXPECT_EQ(status, 0);
    }
    children_.clear();
  }

 private:
  int gate_[2] = {-1, -1};
  bool is_open_ = false;
  std::vector<pid_t> children_;
};

class AtOnce : public CrashFixture, public ::testing::WithParamInterface<std::pair<LinkMode, bool>> {
 protected:
  AtOnce() {
    store_.link_mode = GetParam().first;
    store_.bytecode = GetParam().second;
  }
  int rounds() const { return store_.bytecode ? 2 : kRounds; }  // compiling takes a process
  WheelToInstall wheel(const std::string& name, const std::string& version = "1.0") {
    WheelBuilder out(name, version);
    for (int i = 0; i < 20; ++i) out.file(name + "/m" + std::to_string(i) + ".py", "V = '" + version + "'\n");
    return stored(out.file("ns/" + name + ".py", version).entry_points("[console_scripts]\n" + name + " = m0:x\n"));
  }
  Wheels several() { return {stored(fancy_wheel()), wheel("a"), wheel("b"), wheel("c"), wheel("d")}; }

  Snapshot alone(const Path& env, const Wheels& wheels) {
    install_into(env, wheels);
    Snapshot out = snapshot(env);
    remove_all(env);
    remove_all(store_.unpacked);
    return out;
  }
  void collect_everything() const {
    for (int i = 0; i < 40; ++i) {
      collect_unpacked(store_, plan_collection(store_, 0, SystemClock().wall_ms()));
      usleep(500);
    }
  }
  void expect_to_be(const Path& env, const Snapshot& wanted, const Wheels& wheels) {
    EXPECT_EQ(difference(snapshot(env), wanted), "");
    EXPECT_TRUE(verify_environment(env, store_, events_).sound());
    EXPECT_TRUE(plan_install(env, python_, wheels).empty());
  }
  void expect_nothing_half_made() const { EXPECT_TRUE(list_dir(store_.unpacked / "tmp").empty()); }
};

TEST_P(AtOnce, SeveralIntoOneEnvironmentDoItOnce) {
  const Wheels wheels = several();
  const Snapshot wanted = alone(env_, wheels);
  for (int round = 0; round < rounds(); ++round) {
    Processes processes;
    for (int i = 0; i < 3; ++i) processes.add([&] { install(wheels); });
    processes.finish();
    expect_to_be(env_, wanted, wheels);
    expect_nothing_half_made();
    remove_all(env_);
    if (round % 2 == 0) remove_all(store_.unpacked);  // else they meet in the environment
  }
}

TEST_P(AtOnce, SeveralUpdatesOfOneEnvironmentAreOne) {
  const Wheels before{wheel("a"), wheel("b"), wheel("gone")}, after{wheel("a", "2.0"), wheel("b"), wheel("c")};
  install(before);
  const Snapshot wanted = alone(env_, after);
  for (int round = 0; round < rounds(); ++round) {
    install(before);
    Processes processes;
    for (int i = 0; i < 3; ++i) processes.add([&] { install(after); });
    processes.finish();
    expect_to_be(env_, wanted, after);
    remove_all(env_);
  }
}

TEST_P(AtOnce, OfTwoThatWantDifferentThingsTheLastGetsThem) {
  const Wheels one{wheel("a"), wheel("b"), wheel("x")}, other{wheel("a", "2.0"), wheel("b"), wheel("y")};
  const Snapshot ones = alone(env_, one), others = alone(env_, other);
  for (int round = 0; round < rounds(); ++round) {
    if (round % 2 == 0) install({wheel("b"), wheel("old")});
    Processes processes;
    processes.add([&] { install(one); });
    processes.add([&] { install(other); });
    processes.finish();
    const Snapshot found = snapshot(env_);
    EXPECT_TRUE(found == ones || found == others) << difference(found, ones) << "or\n" << difference(found, others);
    EXPECT_TRUE(verify_environment(env_, store_, events_).sound());
    remove_all(env_);
  }
}

TEST_P(AtOnce, EnvironmentsThatShareAStoreAreNotInEachOthersWay) {
  const Path second = dir_.path() / "second";
  Wheels wheels = several();
  const Wheels fewer{wheels[0], wheels[2], wheel("e")};
  const Snapshot wanted = alone(env_, wheels), wanted_too = alone(second, fewer);
  for (int round = 0; round < rounds(); ++round) {
    Processes processes;
    processes.add([&] { install(wheels); });
    processes.add([&] { install_into(second, fewer); });
    processes.finish();
    expect_to_be(env_, wanted, wheels);
    expect_to_be(second, wanted_too, fewer);
    expect_nothing_half_made();
    for (const Path& path : {env_, second, store_.unpacked}) remove_all(path);
  }
}

TEST_P(AtOnce, ACollectionTakesNothingThatIsNeeded) {
  const Path second = dir_.path() / "second";
  Wheels wheels = several();
  const Wheels fewer{wheels[0], wheels[2], wheel("e")}, later{wheels[1], wheel("e", "2.0")};
  const Snapshot wanted = alone(env_, wheels);
  install_into(second, fewer);
  const Snapshot wanted_too = alone(second, later);
  for (int round = 0; round < rounds(); ++round) {
    Processes processes;
    processes.add([&] { install(wheels); });
    processes.add([&] { install_into(second, fewer), install_into(second, later); });
    processes.add([&] { collect_everything(); });
    processes.finish();
    expect_to_be(env_, wanted, wheels);
    expect_to_be(second, wanted_too, later);
    expect_nothing_half_made();
    remove_all(second);
    // Full, and without an environment: everything may go while it is linked.
    if (round % 2 == 0) remove_all(env_);
  }
}

INSTANTIATE_TEST_SUITE_P(LinkModes, AtOnce,
                         ::testing::Values(std::pair(LinkMode::hardlink, false), std::pair(LinkMode::copy, false),
                                           std::pair(LinkMode::symlink, false), std::pair(LinkMode::hardlink, true),
                                           std::pair(LinkMode::symlink, true)),
                         [](const auto& way) {
                           return std::string(link_mode_name(way.param.first)) +
                                  (way.param.second ? "_with_bytecode" : "");
                         });

}  // namespace
}  // namespace dae::resolver
