#pragma once
#include <string>

#include "mirror/site/html.h"

namespace dae::mirror {

// The commands that install a project from an index of the mirror at `origin`; nothing when that is "".
Html install_lines(const std::string& origin, const std::string& index, const std::string& project);

}  // namespace dae::mirror
