#pragma once
// Dependencies from whole requirements, for providers that have no cheaper way (and for tests).
#include "resolver/solver/solver.h"

namespace dae::resolver {

Dependencies make_dependencies(const std::vector<Requirement>& requirements,
                               const std::vector<std::string>& provides_extra = {});
// A line that is no requirement makes the version unusable, as pip has it.
Dependencies make_dependencies(const std::vector<std::string>& lines,
                               const std::vector<std::string>& provides_extra = {});

}  // namespace dae::resolver
