// The specification's "Installing" steps, for one machine.
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "resolver/lock/lock.h"
#include "resolver/standards/specifier.h"

namespace dae::resolver {

namespace {

class Selector {
 public:
  Selector(const Lock& lock, const Target& target)
      : lock_(lock),
        target_(target),
        environment_(target.markers()),
        tags_(target),
        python_(Version::parse(target.python_full_version)),
        groups_(lock.default_groups.begin(), lock.default_groups.end()) {}

  std::vector<Selected> run() {
    check_environment();
    std::vector<Selected> out;
    const LockedPackage* previous = nullptr;
    for (const LockedPackage* package : wanted()) {
      if (previous != nullptr && previous->name == package->name) {
        throw Error(ErrorKind::bad_input, fmt::format("two entries hold for {}", target_.label()), package->name,
                    "their markers have to exclude each other");
      }
      previous = package;
      out.push_back(choose(*package));
    }
    return out;
  }

 private:
  void check_environment() const {
    check_python(lock_.requires_python, "the lock");
    if (lock_.environments.empty()) return;
    for (const std::string& marker : lock_.environments) {
      if (Marker::parse(marker).evaluate(environment_, {}, groups_)) return;
    }
    throw Error(ErrorKind::refused, fmt::format("the lock was not made for {}", target_.label()), "",
                "add it to the targets and lock again; made for: " + join(lock_.environments, "; "));
  }

  void check_python(const std::string& requires_python, const std::string& who) const {
    if (requires_python.empty() || SpecifierSet::parse(requires_python).contains(python_)) return;
    throw Error(ErrorKind::refused,
                fmt::format("{} needs python {}, this is {}", who, requires_python, target_.python_full_version));
  }

  std::vector<const LockedPackage*> wanted() const {
    std::vector<const LockedPackage*> out;
    for (const LockedPackage& package : lock_.packages) {
      if (!package.marker.empty() && !Marker::parse(package.marker).evaluate(environment_, {}, groups_)) continue;
      check_python(package.requires_python, "`" + package.name + "`");
      out.push_back(&package);
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const LockedPackage* a, const LockedPackage* b) { return a->name < b->name; });
    return out;
  }

  Selected choose(const LockedPackage& package) const {
    if (!package.other_source.empty()) {
      throw Error(ErrorKind::bad_input,
                  fmt::format("a package from a {} cannot be installed yet", package.other_source), package.name);
    }
    Selected out{package.name, package.version, {}, true};
    if (package.archive) {
      out.file = *package.archive;
      out.direct = true;
      out.is_wheel = out.file.name.ends_with(".whl");
    } else if (const LockedFile* wheel = best_wheel(package)) {
      out.file = *wheel;
    } else if (package.sdist) {
      out.file = *package.sdist;
      out.is_wheel = false;
    } else {
      throw Error(ErrorKind::refused, fmt::format("no locked file fits {}", target_.label()),
                  package.name + " " + package.version, "add this platform to the targets and lock again");
    }
    if (out.file.sha256.empty()) {
      throw Error(ErrorKind::verification, "the lock has no sha256 digest of this file", out.file.name,
                  "lock again to get one");
    }
    return out;
  }

  // Of wheels that fit equally well the higher build number counts (PEP 427).
  const LockedFile* best_wheel(const LockedPackage& package) const {
    const LockedFile* best = nullptr;
    int best_rank = 0;
    std::pair<int64_t, std::string> best_build;
    for (const LockedFile& wheel : package.wheels) {
      const auto name = parse_wheel_name(wheel.name);
      const int rank = name ? tags_.rank(*name) : -1;
      if (rank < 0) continue;
      std::pair<int64_t, std::string> build = name->build_order();
      if (best != nullptr && (rank > best_rank || (rank == best_rank && build <= best_build))) continue;
      best = &wheel;
      best_rank = rank;
      best_build = std::move(build);
    }
    return best;
  }

  const Lock& lock_;
  const Target& target_;
  const MarkerEnvironment environment_;
  const TagSet tags_;
  const Version python_;
  const std::set<std::string> groups_;
};

}  // namespace

std::vector<Selected> select(const Lock& lock, const Target& target, const SelectOptions&) {
  return Selector(lock, target).run();
}

}  // namespace dae::resolver
