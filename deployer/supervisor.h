#pragma once
// Keeps instances running. The process supervisor starts each in a session of its own, so that the agent may die and
// come back: it finds its instances again by (pid, start time, boot id).
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/process.h"

namespace dae::deployer {

struct InstanceSpec {
  std::string id;  // "bubbler/3fa1c9d20b11/web.0"
  std::vector<std::string> argv;
  Path cwd;
  std::map<std::string, std::string> env;  // complete: nothing is inherited but PATH, HOME, LANG
  Path log_file;                           // rotated at 10 MiB, one old one kept
  int64_t stop_timeout_ms = 30'000;        // TERM, then KILL
};

struct InstanceStatus {
  bool running = false;
  ProcessIdentity process;
  std::optional<int> exit_code;
  int64_t uptime_ms = 0;
};

class Supervisor {
 public:
  virtual ~Supervisor() = default;
  virtual void start(const InstanceSpec& spec) = 0;  // an instance that runs already under this id is kept
  virtual InstanceStatus status(const std::string& id) = 0;
  // TERM to the leader (its group gets KILL after the time-out). Returns at once; `status` tells when it is gone.
  virtual void stop(const std::string& id, int64_t timeout_ms) = 0;
  virtual std::vector<std::string> list() = 0;     // all that are known, running or just ended
  virtual void forget(const std::string& id) = 0;  // ended ones
  virtual void tick() = 0;                         // escalates TERM to KILL; call it often
};
// `state_dir`/<id with '/' as '+'>.json holds the identity, written before and after the start.
std::unique_ptr<Supervisor> make_process_supervisor(ProcessRunner& runner, const Path& state_dir);

}  // namespace dae::deployer
