#include "resolver/lock/merge.h"

#include <algorithm>
#include <map>
#include <set>

#include "resolver/lock/build_pins.h"

namespace dae::resolver {

namespace {

using Packages = std::map<std::string, std::vector<const LockedPackage*>>;

Packages by_name(const Lock& lock) {
  Packages out;
  for (const LockedPackage& package : lock.packages) out[package.name].push_back(&package);
  return out;
}

std::vector<const LockedPackage*> entries(const Packages& packages, const std::string& name) {
  const auto found = packages.find(name);
  return found == packages.end() ? std::vector<const LockedPackage*>() : found->second;
}

// All there is to say of a name, as text: equal texts are equal pins.
std::string text_of(const std::vector<const LockedPackage*>& list) {
  Lock lock;
  for (const LockedPackage* package : list) lock.packages.push_back(*package);
  return list.empty() ? "" : render_lock(lock);
}

Version highest(const std::vector<const LockedPackage*>& list) {
  Version out = Version::parse("0.dev0");
  for (const LockedPackage* package : list) {
    const auto version = Version::try_parse(package->version);
    if (version && *version > out) out = *version;
  }
  return out;
}

template <typename T>
T merged_value(const T& base, const T& ours, const T& theirs) {
  return ours == base ? theirs : ours;
}

// Both sides' additions stay, both sides' removals go.
template <typename T>
std::vector<T> merged_list(const std::vector<T>& base, const std::vector<T>& ours, const std::vector<T>& theirs) {
  const auto has = [](const std::vector<T>& list, const T& item) {
    return std::find(list.begin(), list.end(), item) != list.end();
  };
  std::vector<T> out;
  for (const T& item : ours) {
    if (has(theirs, item) || !has(base, item)) out.push_back(item);
  }
  for (const T& item : theirs) {
    if (!has(out, item) && !has(base, item)) out.push_back(item);
  }
  return out;
}

}  // namespace

LockMerge merge_locks(const Lock& base, const Lock& ours, const Lock& theirs) {
  LockMerge out;
  const std::string ours_text = render_lock(ours), theirs_text = render_lock(theirs), base_text = render_lock(base);
  if (ours_text == theirs_text || theirs_text == base_text) {
    out.lock = ours;
    return out;
  }
  if (ours_text == base_text) {
    out.lock = theirs;
    return out;
  }
  out.needs_lock = true;
  Lock& lock = out.lock;
  lock.requires_python = merged_value(base.requires_python, ours.requires_python, theirs.requires_python);
  lock.cutoff = merged_value(base.cutoff, ours.cutoff, theirs.cutoff);
  lock.environments = merged_list(base.environments, ours.environments, theirs.environments);
  lock.extras = merged_list(base.extras, ours.extras, theirs.extras);
  lock.dependency_groups = merged_list(base.dependency_groups, ours.dependency_groups, theirs.dependency_groups);
  lock.default_groups = merged_list(base.default_groups, ours.default_groups, theirs.default_groups);
  lock.targets = merged_list(base.targets, ours.targets, theirs.targets);
  const Packages before = by_name(base), mine = by_name(ours), other = by_name(theirs);
  std::set<std::string> names;
  for (const auto& [name, list] : mine) names.insert(name);
  for (const auto& [name, list] : other) names.insert(name);
  for (const std::string& name : names) {
    const auto base_list = entries(before, name), our_list = entries(mine, name), their_list = entries(other, name);
    const std::string b = text_of(base_list), o = text_of(our_list), t = text_of(their_list);
    auto chosen = o == b ? their_list : our_list;
    if (o != b && t != b && o != t) {
      out.both_changed.push_back(name);
      if (our_list.empty() || highest(their_list) > highest(our_list)) chosen = their_list;
    }
    for (const LockedPackage* package : chosen) lock.packages.push_back(*package);
  }
  // Of a package that only one side has in this version there is one answer; else ours.
  take_over_builds(ours, lock);
  take_over_builds(theirs, lock);
  return out;
}

}  // namespace dae::resolver
