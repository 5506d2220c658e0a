// An installation that is killed, at every single change it makes to the disk: the next one ends right.
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "environment_fixture.h"

namespace dae::resolver {
namespace {

using testing::EnvironmentFixture;
using testing::WheelBuilder;

bool changes_the_disk(const __ptrace_syscall_info& info) {
  switch (info.entry.nr) {
    case SYS_linkat:
    case SYS_symlinkat:
    case SYS_mkdirat:
    case SYS_unlinkat:
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_fchmodat:
#ifdef SYS_link
    case SYS_link:
    case SYS_symlink:
    case SYS_mkdir:
    case SYS_unlink:
    case SYS_rmdir:
    case SYS_rename:
    case SYS_chmod:
#endif
      return true;
    case SYS_openat:
      return (info.entry.args[2] & O_CREAT) != 0;
    default:
      return false;
  }
}

enum class Outcome { done, killed, untraceable };

// Runs `body` in a child and kills it just before its change number `at` (from 0).
Outcome run_until(int at, const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(99);
    raise(SIGSTOP);
    try {
      body();
    } catch (const std::exception& error) {
      fprintf(stderr, "in the child: %s\n", error.what());
      _exit(98);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFSTOPPED(status)) return Outcome::untraceable;
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  int changes = 0;
  while (true) {
    ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    if (waitpid(child, &status, 0) != child) return Outcome::untraceable;
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
      return Outcome::done;
    }
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80)) continue;
    __ptrace_syscall_info info{};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) <= 0) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return Outcome::untraceable;
    }
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY || !changes_the_disk(info) || changes++ != at) continue;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return Outcome::killed;
  }
}

// What one tree has and the other has not, or otherwise: "-" lost, "+" left over, "*" changed.
std::string difference(const std::map<std::string, std::string>& found,
                       const std::map<std::string, std::string>& wanted) {
  std::string out;
  for (const auto& [name, what] : wanted) {
    const auto other = found.find(name);
    if (other == found.end()) {
      out += "-" + name + "\n";
    } else if (other->second != what) {
      out += "*" + name + "\n";
    }
  }
  for (const auto& [name, what] : found) {
    if (!wanted.contains(name)) out += "+" + name + "\n";
  }
  return out;
}

class KilledInstall : public EnvironmentFixture {
 protected:
  // For each change: an environment brought to `before`, killed on its way to `after`, and installed again.
  void expect_repair(const std::vector<WheelToInstall>& before, const std::vector<WheelToInstall>& after) {
    install(before);
    install(after);  // fills the store, so that the child starts no threads and no processes
    const auto wanted = contents(env_);
    int at = 0;
    for (;; ++at) {
      remove_all(env_);
      if (!before.empty()) install(before);
      const Outcome outcome = run_until(at, [&] { install(after); });
      if (outcome == Outcome::untraceable) GTEST_SKIP() << "processes cannot be traced here";
      if (outcome == Outcome::done) break;
      install(after);
      ASSERT_EQ(difference(contents(env_), wanted), "") << "killed before change " << at;
      ASSERT_TRUE(plan_install(env_, python_, after).empty());
    }
    EXPECT_GT(at, 10);
    EXPECT_TRUE(events_.warnings.empty());
  }
  WheelToInstall wheel(const std::string& name, const std::string& version, const std::string& module) {
    return stored(WheelBuilder(name, version)
                      .file(name + "/__init__.py", "V = '" + version + "'\n")
                      .file(name + "/" + module + ".py", module)
                      .entry_points("[console_scripts]\n" + name + "-" + module + " = " + name + ":x\n"));
  }
};

TEST_F(KilledInstall, OfANewEnvironmentIsRepairedByTheNext) {
  expect_repair({}, {wheel("a", "1.0", "one")});
}

TEST_F(KilledInstall, OfAnUpgradeIsRepairedByTheNext) {
  expect_repair({wheel("a", "1.0", "one"), wheel("b", "1.0", "one")},
                {wheel("a", "2.0", "two"), wheel("c", "1.0", "one")});
}

TEST_F(KilledInstall, CanBeFollowedByOneThatWantsSomethingElse) {
  const std::vector<WheelToInstall> first{wheel("a", "1.0", "one")}, second{wheel("a", "2.0", "two")},
      third{wheel("b", "1.0", "x")};
  install(third);
  const auto wanted = contents(env_);
  install(second);
  for (int at = 0;; at += 3) {
    remove_all(env_);
    install(first);
    const Outcome outcome = run_until(at, [&] { install(second); });
    if (outcome == Outcome::untraceable) GTEST_SKIP() << "processes cannot be traced here";
    if (outcome == Outcome::done) break;
    install(third);
    ASSERT_EQ(difference(contents(env_), wanted), "") << "killed before change " << at;
  }
}

}  // namespace
}  // namespace dae::resolver
