#include "resolver/lock/build_pins.h"

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"

namespace dae::resolver {
namespace {

// Tells the entries of [[tool.dae.build-packages]] apart.
std::string pin_name(const LockedPackage& package) {
  std::string out = build_name(package.name, package.version);
  if (package.archive) out += "#" + package.archive->sha256;
  if (package.vcs) out += "#" + package.vcs->commit_id;
  if (package.directory) out += "#" + package.directory->path;
  return out;
}

const LockedPackage* find_pin(const Lock& lock, const std::string& name) {
  const auto found = std::ranges::find_if(lock.build_packages, [&](const auto& p) { return pin_name(p) == name; });
  return found == lock.build_packages.end() ? nullptr : &*found;
}

bool goes_before(const LockedPackage& a, const LockedPackage& b) {
  if (a.name != b.name) return a.name < b.name;
  const auto x = Version::try_parse(a.version), y = Version::try_parse(b.version);
  if (x && y && *x != *y) return *x < *y;
  return pin_name(a) < pin_name(b);
}

void merge_files(const LockedPackage& from, LockedPackage& into) {
  if (!into.sdist) into.sdist = from.sdist;
  for (const LockedFile& wheel : from.wheels) {
    const auto place = std::ranges::lower_bound(into.wheels, wheel.name, {}, &LockedFile::name);
    if (place == into.wheels.end() || place->name != wheel.name) into.wheels.insert(place, wheel);
  }
}

void add_package(Lock& lock, LockedPackage package) {
  // Which machines need it is said where it is used, and why is told by the entry's requirements.
  package.marker.clear();
  package.dependencies.clear();
  package.attestation_identities.clear();
  std::ranges::sort(package.wheels, {}, &LockedFile::name);
  const std::string name = pin_name(package);
  for (LockedPackage& known : lock.build_packages) {
    if (pin_name(known) == name) return merge_files(package, known);
  }
  const auto place = std::ranges::lower_bound(lock.build_packages, package, goes_before);
  lock.build_packages.insert(place, std::move(package));
}

void add_entry(Lock& lock, const std::string& name, const LockedBuild& build) {
  for (LockedBuild& known : lock.builds) {
    if (known.requirements != build.requirements || known.pins != build.pins) continue;
    const auto place = std::ranges::lower_bound(known.packages, name);
    if (place == known.packages.end() || *place != name) known.packages.insert(place, name);
    std::ranges::stable_sort(lock.builds, {}, &LockedBuild::packages);
    return;
  }
  lock.builds.push_back({{name}, build.requirements, build.pins});
  std::ranges::stable_sort(lock.builds, {}, &LockedBuild::packages);
}

}  // namespace

std::string build_name(const std::string& package, const std::string& version) {
  return version.empty() ? package : package + "==" + version;
}

std::vector<const LockedBuild*> builds_of(const Lock& lock, const std::string& name) {
  std::vector<const LockedBuild*> out;
  for (const LockedBuild& build : lock.builds) {
    if (std::ranges::count(build.packages, name) > 0) out.push_back(&build);
  }
  return out;
}

const LockedBuild* build_with(const Lock& lock, const std::vector<std::string>& requirements) {
  const auto found = std::ranges::find(lock.builds, requirements, &LockedBuild::requirements);
  return found == lock.builds.end() ? nullptr : &*found;
}

std::optional<std::vector<LockedPackage>> pins_of(const Lock& lock, const LockedBuild& build) {
  std::vector<LockedPackage> out;
  for (const LockedBuild::Pin& pin : build.pins) {
    const LockedPackage* package = find_pin(lock, pin.name);
    if (package == nullptr) return std::nullopt;
    out.push_back(*package);
    out.back().marker = pin.marker;
  }
  return out;
}

std::vector<Selected> select_pins(const std::vector<LockedPackage>& pins, const Target& target) {
  Lock lock;
  lock.packages = pins;
  return select(lock, target);
}

bool fits_all(const std::vector<LockedPackage>& pins, const std::vector<Target>& targets) {
  return std::ranges::all_of(targets, [&](const Target& target) {
    try {
      select_pins(pins, target);
      return true;
    } catch (const Error&) {
      return false;
    }
  });
}

void add_build(Lock& lock, const std::string& name, const std::vector<std::string>& requirements,
               const std::vector<LockedPackage>& pins) {
  LockedBuild build{{}, requirements, {}};
  for (const LockedPackage& package : pins) {
    build.pins.push_back({pin_name(package), package.marker});
    add_package(lock, package);
  }
  std::ranges::sort(build.pins, {}, [](const LockedBuild::Pin& pin) { return std::tie(pin.name, pin.marker); });
  add_entry(lock, name, build);
}

void take_over_builds(const Lock& from, Lock& lock) {
  for (const LockedBuild& build : from.builds) {
    const auto pins = pins_of(from, build);
    if (!pins) continue;
    for (const std::string& name : build.packages) {
      const auto has = [&](const LockedPackage& package) { return build_name(package.name, package.version) == name; };
      if (!std::ranges::any_of(lock.packages, has) && !std::ranges::any_of(from.build_packages, has)) continue;
      if (builds_of(lock, name).empty()) add_build(lock, name, build.requirements, *pins);
    }
  }
}

}  // namespace dae::resolver
