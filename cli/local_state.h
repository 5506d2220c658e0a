#pragma once
// What `dae local up` started, in <root>/local.json: written before the first process starts and after each one, so
// that `down` finds everything even when `up` was killed in the middle.
#include <optional>
#include <string>
#include <vector>

#include "base/process.h"

namespace dae::cli {

struct LocalNode {
  std::string name, group;
  uint16_t gateway_port = 0;
};

struct LocalProcess {
  std::string name;  // "mirror", "control", "agent pre1"
  ProcessIdentity identity;
};

struct LocalState {
  Path root;
  std::string mirror_url, control_url;
  std::vector<LocalNode> nodes;
  std::vector<LocalProcess> processes;
};

Path default_local_root();  // $DAE_LOCAL_ROOT, else data_dir()/local
std::optional<LocalState> read_local_state(const Path& root);
void write_local_state(const LocalState& state);

}  // namespace dae::cli
