#pragma once
// Where interpreters may stand. Each list is in the order of preference; nothing is run.
#include <vector>

#include "base/fs.h"

namespace dae::resolver {

std::vector<Path> pythons_in_path(const std::string& name);  // one per directory of PATH, in its order
// pythonX.Y and pythonX.Yt of every directory of PATH, newest first; for one version in the order of PATH.
std::vector<Path> versioned_pythons_in_path();
// What pyenv, mise, asdf, uv and rye keep, newest first: beside the shims that stand in PATH, where their variables
// say, and where they keep it by default.
std::vector<Path> managed_pythons();

}  // namespace dae::resolver
