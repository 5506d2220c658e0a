#pragma once
// Kills a child at one change that it makes to the disk, on whichever of its threads.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <functional>

namespace dae::resolver::testing {

// What a system call does to the disk. `bytes` can be cut short: a kill in the middle of it leaves a part.
enum class Change { none, whole, bytes };

inline Change change_of(const __ptrace_syscall_info& info) {
  switch (info.entry.nr) {
    case SYS_linkat:
    case SYS_symlinkat:
    case SYS_mkdirat:
    case SYS_mknodat:
    case SYS_unlinkat:
    case SYS_renameat2:
    case SYS_fchmod:
    case SYS_fchmodat:
    case SYS_fchownat:
    case SYS_utimensat:
    case SYS_truncate:
    case SYS_ftruncate:
    case SYS_fallocate:
    case SYS_setxattr:
    case SYS_fsetxattr:
    case SYS_openat2:         // its flags are in the child's memory
    case SYS_io_uring_enter:  // whatever is in the ring
#ifdef SYS_fchmodat2
    case SYS_fchmodat2:
#endif
#ifdef SYS_renameat
    case SYS_renameat:
#endif
#ifdef SYS_link  // not on younger architectures
    case SYS_link:
    case SYS_symlink:
    case SYS_mkdir:
    case SYS_mknod:
    case SYS_unlink:
    case SYS_rmdir:
    case SYS_rename:
    case SYS_chmod:
    case SYS_creat:
#endif
      return Change::whole;
    case SYS_openat:
      return (info.entry.args[2] & (O_CREAT | O_TRUNC)) != 0 ? Change::whole : Change::none;
#ifdef SYS_open
    case SYS_open:
      return (info.entry.args[1] & (O_CREAT | O_TRUNC)) != 0 ? Change::whole : Change::none;
#endif
    case SYS_ioctl:
      return info.entry.args[1] == FICLONE || info.entry.args[1] == FICLONERANGE ? Change::whole : Change::none;
    case SYS_writev:
    case SYS_pwritev:
    case SYS_pwritev2:
      return Change::whole;
    case SYS_write:
    case SYS_pwrite64:
    case SYS_copy_file_range:
    case SYS_sendfile:
      return Change::bytes;
    default:
      return Change::none;
  }
}

// Lets the call that a thread is about to make move half of its bytes, or a few of those of a file. Returns false where
// it is not known how.
inline bool cut_short(pid_t thread, const __ptrace_syscall_info& info) {
#ifdef __x86_64__
  user_regs_struct registers{};
  if (ptrace(PTRACE_GETREGS, thread, nullptr, &registers) != 0) return false;
  if (info.entry.nr == SYS_copy_file_range) {
    registers.r8 = 3;
  } else if (info.entry.nr == SYS_sendfile) {
    registers.r10 = 3;
  } else {
    registers.rdx /= 2;
  }
  return ptrace(PTRACE_SETREGS, thread, nullptr, &registers) == 0;
#else
  return thread < 0 && info.op < 0;
#endif
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

  // Just before the change number `at`, from 0; a write counts twice, and the second time half of it is done.
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
      const Change change = is_call && info.op == PTRACE_SYSCALL_INFO_ENTRY ? change_of(info) : Change::none;
      if (change != Change::none && changes++ == at) return end(Outcome::killed);
      if (change == Change::bytes && changes++ == at) {
        if (cut_short(thread, info)) finish_call(thread);
        return end(Outcome::killed);
      }
      ptrace(PTRACE_SYSCALL, thread, nullptr, nullptr);
    }
  }

 private:
  static void finish_call(pid_t thread) {
    ptrace(PTRACE_SYSCALL, thread, nullptr, nullptr);
    waitpid(thread, nullptr, __WALL);
  }
  Outcome end(Outcome outcome) const {
    kill(child_, SIGKILL);
    while (waitpid(-1, nullptr, __WALL) > 0) {
    }
    return outcome;
  }
  pid_t child_;
};

}  // namespace dae::resolver::testing
