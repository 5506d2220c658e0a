#pragma once
// What all of the tree depends on.
#include <string>

#include "mirror/mirror.h"

namespace dae::mirror {

// Of mirror.yaml, this program and this run of the machine: written files may be lost with its end.
std::string tree_signature(const MirrorConfig& config);

}  // namespace dae::mirror
