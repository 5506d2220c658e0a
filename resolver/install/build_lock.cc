// What the packages of a lock are built with, found out and pinned.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>

#include "base/error.h"
#include "resolver/install/fetch_source.h"
#include "resolver/lock/build_pins.h"

namespace dae::resolver {
namespace {

// Empty when the lock is not for this machine.
std::vector<Selected> built_here(const Lock& lock, const Target& target) {
  SelectOptions everything;
  everything.extras = lock.extras;
  everything.groups = lock.dependency_groups;
  std::vector<Selected> out;
  try {
    out = select(lock, target, everything);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::refused) throw;
  }
  std::erase_if(out, [](const Selected& item) { return item.is_wheel && !item.vcs && !item.directory; });
  return out;
}

std::string name_of(const Selected& item) {
  return build_name(item.name, item.vcs || item.directory ? "" : item.version);
}

// This machine first: it is the one that can build.
std::vector<Target> targets_of(const Lock& lock, const Target& here) {
  std::vector<Target> out = {here};
  for (const Target& target : lock.targets) {
    if (target.label() != here.label()) out.push_back(target);
  }
  return out;
}

std::vector<LockedPackage> pins_for(const std::vector<std::string>& requirements, SourceBuilder& builder,
                                    const std::vector<Target>& targets, const BuildChain& chain) {
  if (targets.size() > 1) {
    try {
      return builder.pins(requirements, chain, targets);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::failed && error.kind() != ErrorKind::no_solution) throw;
    }
  }
  return builder.pins(requirements, chain, {targets.front()});
}

}  // namespace

void lock_builds(Lock& lock, SourceBuilder& builder) {
  const Target here = builder.python().target();
  const std::vector<Target> targets = targets_of(lock, here);
  lock.builds.clear();
  lock.build_packages.clear();
  std::deque<Selected> todo;
  std::set<std::string> seen;
  const auto add = [&](const std::vector<Selected>& items) {
    for (const Selected& item : items) {
      const bool built = !item.is_wheel || item.vcs || item.directory;
      if (built && seen.insert(name_of(item)).second) todo.push_back(item);
    }
  };
  add(built_here(lock, here));
  for (; !todo.empty(); todo.pop_front()) {
    const Selected& item = todo.front();
    try {
      const std::vector<std::string> requirements = requirements_of_source(item, builder);
      const auto pins = pins_for(requirements, builder, targets, {name_of(item)});
      add_build(lock, name_of(item), requirements, pins);
      add(select_pins(pins, here));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw;
      warning(builder.events(), fmt::format("what `{}` is built with cannot be locked: {}", item.name, error.what()));
    }
  }
  // What other machines build, of packages that are as they were.
  if (builder.setup().lock) take_over_builds(*builder.setup().lock, lock);
}

bool builds_are_locked(const Lock& lock, const Target& target) {
  return std::ranges::all_of(built_here(lock, target),
                             [&](const Selected& item) { return !builds_of(lock, name_of(item)).empty(); });
}

}  // namespace dae::resolver
