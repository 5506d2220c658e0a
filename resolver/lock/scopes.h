#pragma once
// Who needs a package on which target, as a marker of a lock.
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "resolver/standards/tags.h"

namespace dae::resolver {

// A package's scopes on one target, as RootRequirement::scope spells them: none = it is not there; "" among them = it
// is there whatever is asked for.
using Scopes = std::set<std::string>;

// "'x' in extras or 'g' in dependency_groups", extras first; "" when the scopes include the project itself.
std::string scope_expression(const Scopes& scopes);

// Holds exactly where and for whom the package is needed; "" = always. nullopt when markers cannot tell targets apart
// that differ.
std::optional<std::string> scope_marker(const std::vector<Target>& targets, const std::vector<Scopes>& scopes);

}  // namespace dae::resolver
