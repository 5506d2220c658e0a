#pragma once
// The one way to start another program. No shell is ever involved: arguments are a list.
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"

namespace dae {

struct ProcessSpec {
  std::vector<std::string> argv;  // argv[0] is looked up in the PATH of `env` when it has no '/'
  Path cwd;                       // empty: inherit
  std::map<std::string, std::string> env;
  bool inherit_env = true;                    // `env` is laid over ours; false: `env` alone
  std::optional<std::string> stdin_bytes;     // default: /dev/null
  bool inherit_stdio = false;                 // run in the foreground on our terminal
  Path output_file;                           // stdout + stderr appended here; empty: nowhere. run collects them, too
  bool own_session = false;                   // setsid: survives us, and its group can be signalled as a whole
  int64_t timeout_ms = 0;                     // run only; 0: none. Expiry kills the group
  uint64_t output_limit_bytes = 16ull << 20;  // run only; more is cut, `truncated` says so
};

struct ProcessResult {
  int exit_code = -1;  // 128 + signal when killed
  std::string out, err;
  bool timed_out = false;
  bool truncated = false;
  int64_t duration_ms = 0;
};

// Who a process is, proof against pid reuse: the start time is /proc/<pid>/stat field 22, the boot id the kernel's.
struct ProcessIdentity {
  pid_t pid = 0;
  uint64_t start_ticks = 0;
  std::string boot_id;
  bool operator==(const ProcessIdentity&) const = default;
};

class ProcessRunner {
 public:
  virtual ~ProcessRunner() = default;
  // Waits for the end; collects output. Throws Error not_found when the program is not there, io when it cannot start.
  virtual ProcessResult run(const ProcessSpec& spec) = 0;
  // Starts it and returns at once.
  virtual ProcessIdentity spawn(const ProcessSpec& spec) = 0;
  // Still running (a zombie is not)? Reaps it when it is our child.
  virtual bool alive(const ProcessIdentity& id) = 0;
  // Exit code when it was our child, has ended and was seen by us; else nullopt.
  virtual std::optional<int> exit_code(const ProcessIdentity& id) = 0;
  // To the whole process group when `group`; false when it is gone already.
  virtual bool signal(const ProcessIdentity& id, int signal_number, bool group) = 0;
};

// posix_spawn/fork + execve. Thread-safe.
std::unique_ptr<ProcessRunner> make_process_runner();

std::optional<ProcessIdentity> identify_process(pid_t pid);  // nullopt when it does not run
std::optional<Path> find_program(const std::string& name, const std::string& path_variable = "");
// argv from a command line in POSIX shell quoting (no expansion); throws Error bad_input on an open quote.
std::vector<std::string> split_command(std::string_view text);
std::string quote_command(const std::vector<std::string>& argv);

// SIGINT and SIGTERM as a flag, for commands that run until told to stop. Installs handlers once.
class StopSignal {
 public:
  static void install();
  static bool requested();
  static int fd();                          // readable once requested: for poll loops
  static bool wait_ms(int64_t timeout_ms);  // true as soon as requested
  static void request();                    // from tests, or to end ourselves
};

}  // namespace dae
