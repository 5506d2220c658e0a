// An installation that is killed, at every single change it makes to the disk, in every way to link: the next one ends
// right.
#include "crash_fixture.h"

namespace dae::resolver {
namespace {

using testing::CrashFixture;
using testing::difference;
using testing::fancy_wheel;
using testing::Outcome;
using testing::Snapshot;
using testing::Sync;
using testing::WheelBuilder;

struct Way {
  LinkMode mode;
  bool bytecode;
  size_t threads = 1;
};

class KilledInstall : public CrashFixture, public ::testing::WithParamInterface<Way> {
 protected:
  KilledInstall() {
    store_.link_mode = GetParam().mode;
    store_.bytecode = GetParam().bytecode;
    store_.link_threads = GetParam().threads;
  }
  WheelToInstall wheel(const std::string& name, const std::string& version, const std::string& module) {
    return stored(WheelBuilder(name, version)
                      .file(name + "/__init__.py", "V = '" + version + "'\n")
                      .file(name + "/" + module + ".py", module)
                      .file(name + "_top.py", version)
                      .entry_points("[console_scripts]\n" + name + "-" + module + " = " + name + ":x\n"));
  }
  // A RECORD that is linked as it stands.
  WheelToInstall plain(const std::string& name, const std::string& version, const std::string& text) {
    return stored(WheelBuilder(name, version).file(name + "/__init__.py", text).file(name + "/sub/x.py", ""));
  }
  Sync sync(const Wheels& before, const Wheels& after) {
    return {[this, before] {
              if (before.empty()) return;
              install(before);
              put_users_files();
            },
            [this, after] { install(after); }};
  }
};

TEST_P(KilledInstall, OfANewEnvironmentIsRepairedByTheNext) {
  expect_repair(sync({}, {stored(fancy_wheel()), plain("p", "1.0", "")}));
}

TEST_P(KilledInstall, OfAnUpgradeIsRepairedByTheNext) {
  expect_repair(
      sync({wheel("a", "1.0", "one"), wheel("b", "1.0", "one"), plain("p", "1.0", "old"), plain("q", "1", "")},
           {wheel("a", "2.0", "two"), wheel("c", "1.0", "one"), plain("p", "2.0", "new"), plain("q", "1", "")}));
}

// The same name and version, and so the same RECORD to tell both by.
TEST_P(KilledInstall, OfAnotherWheelOfTheSameVersionIsRepairedByTheNext) {
  expect_repair(
      sync({wheel("a", "1.0", "one"), plain("p", "1.0", "old")}, {wheel("a", "1.0", "two"), plain("p", "1.0", "new")}));
}

TEST_P(KilledInstall, OfNothingAnyMoreIsRepairedByTheNext) {
  Sync removal = sync({stored(fancy_wheel()), plain("p", "1.0", "")}, {});
  if (GetParam().mode != LinkMode::symlink) {
    removal.make = [this, make = removal.make] {
      make();
      // Bytecode of an interpreter that had the directory to itself.
      make_dirs(site() / "p/sub/__pycache__");
      write_file_atomic(site() / "p/sub/__pycache__/x.cpython-399.pyc", "", 0644, Durability::none);
    };
  }
  expect_repair(removal);
  std::vector<std::string> left;
  for (const auto& [name, text] : users()) {
    if (read_file(env_ / name) == text) left.push_back(name);
  }
  EXPECT_EQ(left.size(), users().size());
  EXPECT_EQ(list_dir(site()), (std::vector<std::string>{"mine", "mine.py"}));
}

TEST_P(KilledInstall, CanBeFollowedByOneThatWantsSomethingElse) {
  const Wheels first{wheel("a", "1.0", "one"), plain("p", "1.0", "")}, second{wheel("a", "2.0", "two")},
      third{wheel("b", "1.0", "x"), plain("p", "1.0", "other")};
  install(third);
  const Snapshot wanted = snapshot(env_);
  install(second);
  for (int at = 0;; at += 2) {
    const Outcome outcome = killed({[&] { install(first); }, [&] { install(second); }}, at);
    if (outcome == Outcome::untraceable) GTEST_SKIP() << "processes cannot be traced here";
    if (outcome == Outcome::done) break;
    install(third);
    ASSERT_EQ(difference(snapshot(env_), wanted), "") << "killed before change " << at;
  }
}

TEST_P(KilledInstall, MayBeKilledAgainWhileItRepairs) {
  expect_repair_of_repairs(sync({wheel("a", "1.0", "one")}, {wheel("a", "2.0", "two")}), 23);
}

TEST_P(KilledInstall, IntoAnEnvironmentOfSomebodyElsesLeavesTheirPackages) {
  const Wheels wheels{wheel("a", "1.0", "one"), plain("p", "1.0", "")};
  const auto make = [&] {
    make_dirs(site() / "theirs-1.dist-info");
    make_dirs(env_ / "bin");
    symlink_atomic(python_.real_executable.string(), env_ / "bin/python");
    write_file_atomic(env_ / "pyvenv.cfg", "home = /usr/bin\n", 0644, Durability::none);
    write_file_atomic(site() / "theirs.py", "", 0644, Durability::none);
    write_file_atomic(site() / "theirs-1.dist-info/RECORD", "theirs.py,,\ntheirs-1.dist-info/RECORD,,\n", 0644,
                      Durability::none);
    put_users_files();
  };
  expect_repair({make, [&] { install(wheels); }});
  EXPECT_TRUE(exists(site() / "theirs.py"));
}

TEST_P(KilledInstall, ThatTakesOutPackagesOfOthersIsRepairedByTheNext) {
  const Wheels wheels{wheel("a", "1.0", "one"), plain("p", "1.0", "")};
  const auto make = [&] {
    install(wheels);
    make_dirs(site() / "theirs");
    make_dirs(site() / "theirs-1.dist-info");
    for (const char* name : {"theirs.py", "theirs/x.py", "theirs-1.dist-info/METADATA"}) {
      write_file_atomic(site() / name, "Name: theirs\nVersion: 1\n", 0644, Durability::none);
    }
    write_file_atomic(site() / "theirs-1.dist-info/RECORD",
                      "theirs.py,,\ntheirs/x.py,,\ntheirs-1.dist-info/METADATA,,\ntheirs-1.dist-info/RECORD,,\n", 0644,
                      Durability::none);
    put_users_files();
  };
  expect_repair({make, [&] {
                   InstallPlan plan = plan_install(env_, python_, wheels);
                   plan_exact(plan, env_, python_, wheels);
                   apply_install(plan, env_, python_, *blobs_, store_, events_);
                 }});
  EXPECT_FALSE(exists(site() / "theirs.py") || exists(site() / "theirs") || exists(site() / "theirs-1.dist-info"));
}

// The interpreter's patch release: the environment is made over around its packages.
TEST_P(KilledInstall, OverAnotherInterpreterIsRepairedByTheNext) {
  const Wheels wheels{wheel("a", "1.0", "one")};
  const Interpreter now = python_;
  Interpreter old = python_;
  old.version += "1";
  old.real_executable = "/usr/bin/true";
  const auto with = [&](const Interpreter& python) {
    python_ = python;
    install(wheels);
  };
  expect_repair({[&] { with(old), put_users_files(); }, [&] { with(now); }});
}

INSTANTIATE_TEST_SUITE_P(LinkModes, KilledInstall,
                         ::testing::Values(Way{LinkMode::hardlink, false}, Way{LinkMode::copy, false},
                                           Way{LinkMode::symlink, false}, Way{LinkMode::hardlink, true},
                                           Way{LinkMode::symlink, true}, Way{LinkMode::hardlink, false, 3},
                                           Way{LinkMode::copy, false, 3}),
                         [](const auto& way) {
                           return std::string(link_mode_name(way.param.mode)) +
                                  (way.param.bytecode ? "_with_bytecode" : "") +
                                  (way.param.threads > 1 ? "_by_threads" : "");
                         });

}  // namespace
}  // namespace dae::resolver
