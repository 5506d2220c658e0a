#pragma once
// dae-env.json in the root of an environment: what we installed in it, by digest, and for which interpreter. While an
// apply runs it names the packages being touched, so that a kill leaves a trace of what to clean up.
// Format: share/doc/formats/environment.md.
#include <optional>
#include <string>
#include <vector>

#include "resolver/install/env_layout.h"
#include "resolver/install/environment.h"

namespace dae::resolver {

struct EnvState {
  std::string prefix;  // where the environment was made; scripts hold this path
  std::string python;  // the interpreter's real executable
  std::string python_version, cache_tag;
  bool ready = false;      // the venv itself is complete
  std::string link_mode;   // of the last apply that linked: "hardlink" …; "symlink" stays once it was used
  bool made_here = false;  // else it was there before us, and is not ours to clear
  std::vector<InstalledPackage> packages;  // complete; sorted by name
  std::vector<InstalledPackage> applying;  // in an unknown state when no apply is running
};

bool same_interpreter(const EnvState& state, const Interpreter& python);
// nullopt when there is none. Throws Error bad_input when it is broken or from a later version.
std::optional<EnvState> read_env_state(const Path& env);
void write_env_state(const Path& env, EnvState state, Durability durability);  // atomic

}  // namespace dae::resolver
