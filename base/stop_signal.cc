// A signal handler can reach nothing but globals; these are the only ones, and only this file sees them.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "base/clock.h"
#include "base/error.h"
#include "base/process.h"

namespace dae {
namespace {

std::atomic<bool> stop_requested{false};
std::atomic<int> write_end{-1};

int pipe_read_end() {
  static const int read_end = [] {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) throw os_error("cannot make a pipe", "", errno);
    write_end = ends[1];
    return ends[0];
  }();
  return read_end;
}

void raise_flag() {
  stop_requested = true;
  const char byte = 1;
  const int fd = write_end;
  if (fd >= 0) {
    const ssize_t ignored = ::write(fd, &byte, 1);
    static_cast<void>(ignored);
  }
}

void on_signal(int) {
  const int saved = errno;
  raise_flag();
  errno = saved;
}

}  // namespace

void StopSignal::install() {
  pipe_read_end();
  struct sigaction action {};
  ::sigemptyset(&action.sa_mask);
  // Without SA_RESTART: a blocking call returns with EINTR and its caller can look at the flag.
  action.sa_handler = on_signal;
  ::sigaction(SIGTERM, &action, nullptr);
  // A second Ctrl-C ends us at once, should the orderly end hang. Not so for TERM, which service managers repeat.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  action.sa_flags = 0;
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
}

bool StopSignal::requested() {
  return stop_requested;
}
int StopSignal::fd() {
  return pipe_read_end();
}

bool StopSignal::wait_ms(int64_t timeout_ms) {
  SystemClock clock;
  const int64_t deadline_ms = clock.monotonic_ms() + timeout_ms;
  while (!requested()) {
    const int64_t left_ms = deadline_ms - clock.monotonic_ms();
    if (left_ms <= 0) return false;
    pollfd waiting{fd(), POLLIN, 0};
    ::poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left_ms, 60'000)));
  }
  return true;
}

void StopSignal::request() {
  pipe_read_end();
  raise_flag();
}

}  // namespace dae
