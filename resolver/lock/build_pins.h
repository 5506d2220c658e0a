#pragma once
// What packages of a lock are built with: [[tool.dae.builds]] and [[tool.dae.build-packages]].
#include <optional>
#include <string>
#include <vector>

#include "resolver/lock/lock.h"

namespace dae::resolver {

// "docopt==0.6.2"; of a source tree, which has no version in a lock, its name.
std::string build_name(const std::string& package, const std::string& version);

// The entries of a package, in the lock's order; several when machines need different tools.
std::vector<const LockedBuild*> builds_of(const Lock& lock, const std::string& name);
const LockedBuild* build_with(const Lock& lock, const std::vector<std::string>& requirements);

// The pinned packages of one entry, with their markers. nullopt: it names a package that the lock does not have.
std::optional<std::vector<LockedPackage>> pins_of(const Lock& lock, const LockedBuild& build);
// One file each for a machine. Error refused when a package has none for it.
std::vector<Selected> select_pins(const std::vector<LockedPackage>& pins, const Target& target);
bool fits_all(const std::vector<LockedPackage>& pins, const std::vector<Target>& targets);

// Packages that are built with the same share one entry.
void add_build(Lock& lock, const std::string& name, const std::vector<std::string>& requirements,
               const std::vector<LockedPackage>& pins);
// Entries of `from` for packages that `lock` has and that have no entry yet; of build packages the files of both.
void take_over_builds(const Lock& from, Lock& lock);

}  // namespace dae::resolver
