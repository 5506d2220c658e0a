#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/clock.h"
#include "base/error.h"
#include "base/process_internal.h"

namespace dae {
namespace {

constexpr int64_t kInterruptGraceMs = 5000;

struct Pipe {
  Fd read_end, write_end;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw os_error("cannot make a pipe", "", errno);
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  }
};

void set_nonblocking(const Fd& fd) {
  ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
}

// One run(): feeds standard input and collects both outputs until the child has ended. Output of grandchildren that
// hold the pipes longer than the child lives is not waited for.
class Conversation {
 public:
  Conversation(const ProcessSpec& spec, ProcessResult& result) : spec_(spec), result_(result) {}

  void run() {
    SpawnArguments arguments;
    Fd null;
    if (!spec_.inherit_stdio) {
      arguments.attach(out_.write_end.get(), 1);
      arguments.attach(err_.write_end.get(), 2);
    }
    if (spec_.stdin_bytes) {
      arguments.attach(in_.read_end.get(), 0);
    } else if (!spec_.inherit_stdio) {
      null = open_for_child("/dev/null", O_RDONLY);
      arguments.attach(null.get(), 0);
    }
    // Without a time limit it stays in our group, where Ctrl-C of the terminal reaches it too.
    own_group_ = spec_.timeout_ms > 0 && !spec_.inherit_stdio;
    pid_ = arguments.start(spec_, own_group_);
    pidfd_ = open_pidfd(pid_);
    prepare_ends();
    wait_for_end();
  }

 private:
  void prepare_ends() {
    in_.read_end.reset();
    out_.write_end.reset();
    err_.write_end.reset();
    if (!spec_.stdin_bytes) in_.write_end.reset();
    if (spec_.inherit_stdio) {
      out_.read_end.reset();
      err_.read_end.reset();
    }
    for (const Fd* fd : {&in_.write_end, &out_.read_end, &err_.read_end}) {
      if (fd->valid()) set_nonblocking(*fd);
    }
  }

  void wait_for_end() {
    const int64_t started_ms = clock_.monotonic_ms();
    const bool stopped_before = StopSignal::requested();
    int64_t kill_at_ms = spec_.timeout_ms > 0 ? started_ms + spec_.timeout_ms : INT64_MAX;
    bool interrupted = false;
    for (int status = 0;;) {
      const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
      if (ended == pid_) {
        result_.exit_code = code_from_status(status);
        break;
      }
      const int64_t now_ms = clock_.monotonic_ms();
      if (!interrupted && !stopped_before && StopSignal::requested()) {
        interrupted = true;
        send(SIGTERM);
        kill_at_ms = now_ms + kInterruptGraceMs;
      }
      if (now_ms >= kill_at_ms) {
        result_.timed_out = !interrupted;
        send(SIGKILL);
        kill_at_ms = INT64_MAX;
      }
      wait_for_news(std::min<int64_t>(kill_at_ms - now_ms, pidfd_.valid() ? 200 : 20));
    }
    if (result_.timed_out || interrupted) send(SIGKILL);  // what is left of the group
    while (take(out_.read_end, result_.out) || take(err_.read_end, result_.err)) {
    }
    result_.duration_ms = clock_.monotonic_ms() - started_ms;
    if (interrupted) throw Error(ErrorKind::interrupted, "interrupted while `" + spec_.argv[0] + "` was running");
  }

  void send(int signal_number) { ::kill(own_group_ || spec_.own_session ? -pid_ : pid_, signal_number); }

  void wait_for_news(int64_t timeout_ms) {
    std::array<pollfd, 4> fds = {pollfd{pidfd_.get(), POLLIN, 0}, pollfd{out_.read_end.get(), POLLIN, 0},
                                 pollfd{err_.read_end.get(), POLLIN, 0}, pollfd{in_.write_end.get(), POLLOUT, 0}};
    if (::poll(fds.data(), fds.size(), static_cast<int>(timeout_ms)) <= 0) return;
    if (fds[1].revents != 0) take(out_.read_end, result_.out);
    if (fds[2].revents != 0) take(err_.read_end, result_.err);
    if (fds[3].revents != 0) feed();
  }

  // True when there was something; closes at the end of the stream.
  bool take(Fd& fd, std::string& out) {
    if (!fd.valid()) return false;
    std::array<char, 64 * 1024> buffer;
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0) return errno == EINTR;
    if (got == 0) return fd.reset(), false;
    const auto size = static_cast<size_t>(got);
    const size_t room = spec_.output_limit_bytes - std::min<uint64_t>(spec_.output_limit_bytes, out.size());
    out.append(buffer.data(), std::min(size, room));
    if (!spec_.output_file.empty() && room > 0) keep({buffer.data(), std::min(size, room)});
    result_.truncated = result_.truncated || size > room;
    return true;
  }

  void keep(std::string_view bytes) const {
    try {
      append_file(spec_.output_file, bytes);
    } catch (const Error&) {
      // The disk is full: whoever started the program has the bytes nevertheless.
    }
  }

  void feed() {
    const std::string_view left = std::string_view(*spec_.stdin_bytes).substr(fed_);
    const ssize_t wrote = left.empty() ? 0 : ::write(in_.write_end.get(), left.data(), left.size());
    if (wrote > 0) fed_ += static_cast<size_t>(wrote);
    const bool refused = wrote < 0 && errno != EAGAIN && errno != EINTR;  // it closed its standard input: its right
    if (refused || fed_ == spec_.stdin_bytes->size()) in_.write_end.reset();
  }

  const ProcessSpec& spec_;
  ProcessResult& result_;
  SystemClock clock_;
  Pipe in_, out_, err_;
  Fd pidfd_;
  pid_t pid_ = 0;
  bool own_group_ = false;
  size_t fed_ = 0;
};

// A write to a pipe whose reader is gone must be an errno, not our death; the thread's mask does that without
// touching the process.
class SigpipeBlocked {
 public:
  SigpipeBlocked() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &set, &before_);
  }
  ~SigpipeBlocked() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGPIPE);
    const timespec no_wait{};
    if (!::sigismember(&before_, SIGPIPE)) ::sigtimedwait(&set, nullptr, &no_wait);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t before_;
};

}  // namespace

ProcessResult run_process(const ProcessSpec& spec) {
  ProcessResult result;
  const SigpipeBlocked blocked;
  Conversation(spec, result).run();
  return result;
}

}  // namespace dae
