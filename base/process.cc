#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <mutex>

#include "base/error.h"
#include "base/process_internal.h"

namespace dae {
namespace {

constexpr size_t kRememberedChildren = 4096;

class PosixProcessRunner final : public ProcessRunner {
 public:
  ProcessResult run(const ProcessSpec& spec) override { return run_process(spec); }

  ProcessIdentity spawn(const ProcessSpec& spec) override {
    SpawnArguments arguments;
    const Fd null = open_for_child("/dev/null", O_RDWR);
    Fd output;
    if (!spec.inherit_stdio) {
      if (!spec.output_file.empty()) output = open_for_child(spec.output_file, O_WRONLY | O_CREAT | O_APPEND);
      arguments.attach(null.get(), 0);
      arguments.attach(output.valid() ? output.get() : null.get(), 1);
      arguments.attach(output.valid() ? output.get() : null.get(), 2);
    }
    const pid_t pid = arguments.start(spec, false);
    // Not reaped yet, so its entry in /proc is there even when it has ended already.
    const auto identity = identify_even_ended(pid);
    DAE_CHECK(identity.has_value());
    std::lock_guard lock(mutex_);
    children_.push_back({*identity, std::nullopt});
    if (children_.size() > kRememberedChildren) forget_oldest_ended();
    return *identity;
  }

  bool alive(const ProcessIdentity& id) override {
    std::lock_guard lock(mutex_);
    if (Child* child = find(id)) return !reap(*child);
    return identify_process(id.pid) == id;
  }

  std::optional<int> exit_code(const ProcessIdentity& id) override {
    std::lock_guard lock(mutex_);
    Child* child = find(id);
    if (child == nullptr) return std::nullopt;
    reap(*child);
    return child->exit_code;
  }

  bool signal(const ProcessIdentity& id, int signal_number, bool group) override {
    if (id.pid <= 1) return false;
    if (group) {
      // A pid is not given out again while a group of this number has members, so a stranger under our pid proves
      // that the group is gone; nobody there leaves the question to kill(2).
      const auto now = identify_process(id.pid);
      if (now && *now != id) return false;
      if (!now && id.boot_id != boot_id()) return false;
      return ::kill(-id.pid, signal_number) == 0;
    }
    if (!alive(id)) return false;
    // The descriptor pins the process: what is checked after opening it is what gets the signal.
    const Fd pidfd = open_pidfd(id.pid);
    if (identify_process(id.pid) != id) return false;
    if (!pidfd.valid()) return ::kill(id.pid, signal_number) == 0;
    return ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal_number, nullptr, 0) == 0;
  }

 private:
  struct Child {
    ProcessIdentity id;
    std::optional<int> exit_code;
  };

  Child* find(const ProcessIdentity& id) {
    const auto found = std::find_if(children_.begin(), children_.end(), [&](const Child& c) { return c.id == id; });
    return found == children_.end() ? nullptr : &*found;
  }

  // True when it has ended.
  static bool reap(Child& child) {
    if (child.exit_code) return true;
    int status = 0;
    const pid_t ended = ::waitpid(child.id.pid, &status, WNOHANG);
    if (ended == child.id.pid) child.exit_code = code_from_status(status);
    // ECHILD: somebody else reaped it; its code is lost, but it has ended.
    return ended == child.id.pid || (ended < 0 && errno == ECHILD);
  }

  void forget_oldest_ended() {
    const auto ended = std::find_if(children_.begin(), children_.end(), [](const Child& c) { return c.exit_code; });
    if (ended != children_.end()) children_.erase(ended);
  }

  std::mutex mutex_;
  std::deque<Child> children_;
};

}  // namespace

std::unique_ptr<ProcessRunner> make_process_runner() {
  return std::make_unique<PosixProcessRunner>();
}

}  // namespace dae
