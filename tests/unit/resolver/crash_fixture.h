#pragma once
// Installations that are killed at every single change they make to the disk: the next one ends right.
#include "environment_fixture.h"
#include "kill_at.h"
#include "quick_disk.h"
#include "resolver/install/verify.h"

namespace dae::resolver::testing {

using Snapshot = std::map<std::string, std::string>;

// What one tree has and the other has not, or otherwise: "-" lost, "+" left over, "*" changed.
inline std::string difference(const Snapshot& found, const Snapshot& wanted) {
  std::string out;
  for (const auto& [name, what] : wanted) {
    const auto other = found.find(name);
    if (other == found.end()) {
      out += "-" + name + "\n";
    } else if (other->second != what) {
      out += "*" + name + " " + what + " " + other->second + "\n";
    }
  }
  for (const auto& [name, what] : found) {
    if (!wanted.contains(name)) out += "+" + name + "\n";
  }
  return out;
}

// One sync of one environment: `make` brings it to where it starts, `change` is what gets killed.
struct Sync {
  std::function<void()> make, change;
  bool is_quiet = true;  // no warnings
  int at_least = 8;      // changes
};

class CrashFixture : private QuickDisk, public EnvironmentFixture {
 protected:
  using Wheels = std::vector<WheelToInstall>;

  // Names, kinds, modes, bytes, where links lead.
  static Snapshot snapshot(const Path& root) {
    Snapshot out = contents(root);
    for (const WalkEntry& entry : walk_tree(root)) {
      const auto found = out.find(entry.relative);
      if (found != out.end()) found->second += " " + std::to_string(entry.info.mode);
    }
    return out;
  }
  // The store without its lock and its list of environments: no installation changes what is in it.
  Snapshot store_snapshot() const {
    Snapshot out;
    for (const WalkEntry& entry : walk_tree(store_.unpacked)) {
      if (entry.relative.starts_with("lock") || entry.relative.starts_with("roots")) continue;
      const FileInfo& info = entry.info;
      out[entry.relative] = std::to_string(info.inode) + " " + std::to_string(info.mode);
      if (info.is_file())
        out[entry.relative] += " " + std::to_string(info.mtime_ns) + " " + std::to_string(info.size_bytes);
    }
    return out;
  }

  void install_as(LinkMode mode, const Wheels& wheels) {
    store_.link_mode = mode;
    install(wheels);
  }

  // For each change: the environment as it was, the sync killed there, and the same sync again.
  void expect_repair(const Sync& sync) {
    sync.make();
    sync.change();  // fills the store, so that the child starts no threads and no processes
    const Snapshot wanted = snapshot(env_), store = store_snapshot();
    expect_to_be_sound();
    int at = 0;
    for (;; ++at) {
      const Outcome outcome = killed(sync, at);
      if (outcome == Outcome::untraceable) GTEST_SKIP() << "processes cannot be traced here";
      if (outcome == Outcome::done) break;
      ASSERT_NO_THROW(sync.change()) << "killed before change " << at;
      ASSERT_EQ(difference(snapshot(env_), wanted), "") << "killed before change " << at;
      ASSERT_EQ(difference(store_snapshot(), store), "") << "killed before change " << at;
    }
    EXPECT_EQ(difference(snapshot(env_), wanted), "") << "not killed";
    EXPECT_GE(at, sync.at_least);
    EXPECT_TRUE(!sync.is_quiet || events_.warnings.empty()) << events_.warnings[0];
  }

  // The run that repairs is killed, too: all of its changes, after some of those of the first.
  void expect_repair_of_repairs(const Sync& sync, int step) {
    sync.make();
    sync.change();
    const Snapshot wanted = snapshot(env_);
    for (int at = 0;; at += step) {
      int then = at % step;
      for (Outcome second = Outcome::killed; second == Outcome::killed; ++then) {
        const Outcome first = killed(sync, at);
        if (first == Outcome::untraceable) GTEST_SKIP() << "processes cannot be traced here";
        if (first == Outcome::done) return;
        second = TracedChild(sync.change).run_until(then);
        ASSERT_NO_THROW(sync.change()) << "killed before changes " << at << " and " << then;
        ASSERT_EQ(difference(snapshot(env_), wanted), "") << "killed before changes " << at << " and " << then;
      }
    }
  }

  Outcome killed(const Sync& sync, int at) {
    remove_all(env_);
    sync.make();
    return TracedChild(sync.change).run_until(at);
  }

  void expect_to_be_sound() {
    for (const VerifyFinding& finding : verify_environment(env_, store_, events_).findings) {
      EXPECT_TRUE(finding.path.starts_with(site_name() + "mine") || finding.foreign)
          << finding_name(finding.kind) << " " << finding.path;
    }
  }

  // Files of the user's among those of packages, in places that only they can name.
  std::string site_name() const { return "lib/python" + python_.python_version() + "/site-packages/"; }
  Snapshot users() const {
    return {{site_name() + "mine.py", "MINE = 1\n"},
            {site_name() + "mine/a.py", ""},
            {"bin/mine", "#!/bin/sh\n"},
            {"share/mine.txt", "m"},
            {"notes/1.txt", "1"},
            {"notes/.dae-notes", "2"}};
  }
  void put_users_files() {
    for (const auto& [name, text] : users()) {
      make_dirs((env_ / name).parent_path());
      write_file_atomic(env_ / name, text, 0644, Durability::none);
    }
  }
};

}  // namespace dae::resolver::testing
