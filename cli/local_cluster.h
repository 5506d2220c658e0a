#pragma once
// Mirror, control plane and nodes with their gateways on this machine: processes of this same binary, everything below
// one folder. `up` starts what is not running, `down` ends everything that belongs to the folder, however it was left.
#include "cli/context.h"
#include "cli/local_state.h"

namespace dae::cli {

struct LocalRequest {
  Path root;
  std::string upstream;  // of the mirror's index; "" = pip
  std::string python;    // of the nodes
};

// Idempotent. Returns when every node has reported to the control plane.
LocalState local_up(Context& context, const LocalRequest& request);
// Ends processes, instances and gateways; removes the folder unless `keep`.
void local_down(Context& context, const Path& root, bool keep);

}  // namespace dae::cli
