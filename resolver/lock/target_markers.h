#pragma once
// Markers that tell the declared targets apart.
#include <optional>
#include <string>
#include <vector>

#include "resolver/standards/tags.h"

namespace dae::resolver {

// What a lock for these targets was made for: one marker per distinct environment, in the order of the targets.
std::vector<std::string> environment_markers(const std::vector<Target>& targets);

// The shortest marker that holds for the chosen targets and for no other; "" when all are chosen. nullopt when a chosen
// and another target look alike to markers (they differ in their C library only).
std::optional<std::string> distinguishing_marker(const std::vector<Target>& targets, const std::vector<bool>& chosen);

}  // namespace dae::resolver
