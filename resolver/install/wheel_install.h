#pragma once
// One wheel into an environment, one wheel out of it. The environment's lock is held by the caller.
#include <set>
#include <string>

#include "base/events.h"
#include "resolver/install/owners.h"
#include "resolver/install/placement.h"

namespace dae::resolver {

// Directories made so far: each is asked of the system once.
using MadeDirs = std::set<Path>;

// RECORD is written before the first file it lists: from then on the removal of a half-done installation is complete.
// `repair`: files without an owner may be leavings of a killed run and are replaced; else they are refused.
// Two wheels over one file: equal contents are shared; of different ones that of the later name stays, with a warning.
void link_wheel(const WheelPlacement& placement, const std::string& dist_info, const EnvLayout& layout, Owners& owners,
                MadeDirs& made, bool repair, EventSink& events);

// Removes what RECORD lists, its bytecode, and directories left empty; files others claim stay. RECORD goes last, so
// that a killed removal can be taken up again. `repair`: temporary files of a killed run go as well. Returns claims of
// others on files whose bytes were those of the removed one: they have to be linked again.
struct Relink {
  std::string dist_info;
  std::string target;
};
std::vector<Relink> unlink_wheel(const std::string& dist_info, const EnvLayout& layout, Owners& owners, bool repair);
// Temporary files that a killed run left in this directory.
void sweep_temporary_files(const Path& dir);

}  // namespace dae::resolver
