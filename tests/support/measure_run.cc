// Runs a command once and prints what it cost: {"exit", "wall_ms", "cpu_ms", "peak_kib", "own_kib"}. `peak_kib` is the
// most that was resident, pages of its program's files and libraries included, which it shares with whoever else runs
// them; `own_kib` the most without them, seen in looks 10 ms apart. A small program of its own,
// because Linux counts the memory of whoever calls exec into the peak of the child: measured from an interpreter,
// nothing would be below 20 MB.
//
//   measure_run OUTPUT-FILE COMMAND [ARGUMENT...]        its standard output and error go to the file
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

extern char** environ;

namespace {

double ms(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
}

// KiB of anonymous memory that are resident; 0 when the process is gone.
long own_kib(const std::string& status_file) {
  const int fd = open(status_file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[4096];
  const ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  text[std::max<ssize_t>(size, 0)] = '\0';
  const char* found = std::strstr(text, "RssAnon:");
  return found != nullptr ? std::strtol(found + 8, nullptr, 10) : 0;
}

long watch(pid_t pid) {
  constexpr int kLookMs = 10;
  const std::string status_file = "/proc/" + std::to_string(pid) + "/status";
  pollfd ended{static_cast<int>(syscall(SYS_pidfd_open, pid, 0)), POLLIN, 0};
  long most = 0;
  while (ended.fd >= 0 && poll(&ended, 1, kLookMs) == 0) most = std::max(most, own_kib(status_file));
  return most;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: measure_run OUTPUT-FILE COMMAND [ARGUMENT...]\n", stderr);
    return 2;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = 0;
  const auto started = std::chrono::steady_clock::now();
  if (posix_spawnp(&pid, argv[2], &actions, nullptr, argv + 2, environ) != 0) {
    std::perror(argv[2]);
    return 2;
  }
  const long own = watch(pid);
  int status = 0;
  rusage usage{};
  wait4(pid, &status, 0, &usage);
  const std::chrono::duration<double, std::milli> wall = std::chrono::steady_clock::now() - started;
  std::printf(R"({"exit": %d, "wall_ms": %.3f, "cpu_ms": %.3f, "peak_kib": %ld, "own_kib": %ld})"
              "\n",
              WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), wall.count(),
              ms(usage.ru_utime) + ms(usage.ru_stime), usage.ru_maxrss, own);
}
