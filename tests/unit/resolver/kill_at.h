#pragma once
// Kills a child at one change that it makes to the disk, on whichever of its threads.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <functional>

namespace dae::resolver::testing {

inline bool changes_the_disk(const __ptrace_syscall_info& info) {
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

class TracedChild {
 public:
  explicit TracedChild(const std::function<void()>& body) : child_(fork()) {
    if (child_ != 0) return;
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

  // `at`: the number of the change, from 0.
  Outcome run_until(int at) {
    int status = 0;
    waitpid(child_, &status, 0);
    if (!WIFSTOPPED(status)) return Outcome::untraceable;
    ptrace(PTRACE_SETOPTIONS, child_, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE);
    ptrace(PTRACE_SYSCALL, child_, nullptr, nullptr);
    for (int changes = 0;;) {
      const pid_t thread = waitpid(-1, &status, __WALL);
      if (thread < 0) return Outcome::untraceable;
      if (WIFEXITED(status) || WIFSIGNALED(status)) {
        if (thread != child_) continue;
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
        return Outcome::done;
      }
      __ptrace_syscall_info info{};
      const bool is_call = WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80);
      if (is_call && ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0) return end(Outcome::untraceable);
      if (is_call && info.op == PTRACE_SYSCALL_INFO_ENTRY && changes_the_disk(info) && changes++ == at) {
        return end(Outcome::killed);
      }
      ptrace(PTRACE_SYSCALL, thread, nullptr, nullptr);
    }
  }

 private:
  Outcome end(Outcome outcome) const {
    kill(child_, SIGKILL);
    while (waitpid(-1, nullptr, __WALL) > 0) {
    }
    return outcome;
  }
  pid_t child_;
};

}  // namespace dae::resolver::testing
