// The specification's "Installing" steps, for one machine.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/lock/lock.h"
#include "resolver/lock/lock_text.h"
#include "resolver/standards/specifier.h"

namespace dae::resolver {

namespace {

std::set<std::string> wanted_names(const std::vector<std::string>& asked, const std::vector<std::string>& offered,
                                   const char* what) {
  std::set<std::string> out;
  for (const std::string& name : asked) {
    const auto found = std::ranges::find_if(
        offered, [&](const std::string& other) { return normalize_name(other) == normalize_name(name); });
    if (found == offered.end()) {
      throw Error(ErrorKind::usage, fmt::format("the lock has no {} `{}`", what, name), "",
                  offered.empty() ? fmt::format("it has no {}s at all", what) : "it has: " + join(offered, ", "));
    }
    out.insert(*found);
  }
  return out;
}

class Selector {
 public:
  Selector(const Lock& lock, const Target& target, const SelectOptions& options)
      : lock_(lock),
        target_(target),
        environment_(target.markers()),
        tags_(target),
        python_(Version::parse(target.python_full_version)),
        extras_(wanted_names(options.extras, lock.extras, "extra")) {
    std::vector<std::string> all = lock.dependency_groups;
    all.insert(all.end(), lock.default_groups.begin(), lock.default_groups.end());
    groups_ = wanted_names(options.groups, all, "dependency group");
    if (options.default_groups) groups_.insert(lock.default_groups.begin(), lock.default_groups.end());
  }

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
  bool holds(const std::string& marker) {
    if (marker.empty()) return true;
    const auto known = markers_.find(marker);
    if (known != markers_.end()) return known->second;
    return markers_[marker] = Marker::parse(marker).evaluate(environment_, extras_, groups_);
  }

  void check_environment() {
    check_python(lock_.requires_python, "the lock");
    if (lock_.environments.empty()) return;
    for (const std::string& marker : lock_.environments) {
      if (holds(marker)) return;
    }
    throw Error(ErrorKind::refused, fmt::format("the lock was not made for {}", target_.label()), "",
                "add it to the targets and lock again; made for: " + join(lock_.environments, "; "));
  }

  // Pre-releases of an interpreter count by their order, as everywhere in the field.
  void check_python(const std::string& requires_python, const std::string& who) {
    if (requires_python.empty()) return;
    auto known = pythons_.find(requires_python);
    if (known == pythons_.end()) {
      known = pythons_.emplace(requires_python, SpecifierSet::parse(requires_python).contains(python_)).first;
    }
    if (known->second) return;
    throw Error(ErrorKind::refused,
                fmt::format("{} needs python {}, this is {}", who, requires_python, target_.python_full_version));
  }

  std::vector<const LockedPackage*> wanted() {
    std::vector<const LockedPackage*> out;
    for (const LockedPackage& package : lock_.packages) {
      if (!holds(package.marker)) continue;
      if (!package.requires_python.empty()) check_python(package.requires_python, "`" + package.name + "`");
      out.push_back(&package);
    }
    std::ranges::stable_sort(out, {}, &LockedPackage::name);
    return out;
  }

  Selected choose(const LockedPackage& package) {
    Selected out;
    out.name = package.name;
    out.version = package.version;
    out.is_wheel = false;
    out.direct = true;
    if (package.vcs || package.directory) {
      out.vcs = package.vcs;
      out.directory = package.directory;
      return out;
    }
    if (package.archive) {
      out.file = *package.archive;
      out.is_wheel = out.file.name.ends_with(".whl");
      out.subdirectory = package.archive_subdirectory;
      if (out.is_wheel && rank_of(out.file.name, package).rank < 0) refuse(package);
    } else {
      const LockedFile* wheel = best_wheel(package);
      if (wheel == nullptr && !package.sdist) refuse(package);
      out.file = wheel != nullptr ? *wheel : *package.sdist;
      out.is_wheel = wheel != nullptr;
      out.direct = false;
    }
    if (out.file.sha256.empty()) {
      throw Error(ErrorKind::verification, "the lock has no sha256 digest of this file", out.file.name,
                  "lock again to get one");
    }
    return out;
  }

  [[noreturn]] void refuse(const LockedPackage& package) const {
    throw Error(ErrorKind::refused, fmt::format("no locked file fits {}", target_.label()),
                package.version.empty() ? package.name : package.name + " " + package.version,
                "add this platform to the targets and lock again");
  }

  struct Fit {
    int rank = -1;
    std::pair<int64_t, std::string> build;
  };
  const Fit& rank_of(const std::string& file_name, const LockedPackage& package) {
    const std::string_view ending = wheel_ending(file_name, package.name, package.version);
    const auto known = ending.empty() ? fits_.end() : fits_.find(ending);
    if (known != fits_.end()) return known->second;
    Fit fit;
    if (const auto name = parse_wheel_name(file_name)) fit = {tags_.rank(*name), name->build_order()};
    return fits_.insert_or_assign(std::string(ending), std::move(fit)).first->second;
  }

  // Of wheels that fit equally well the higher build number counts (PEP 427).
  const LockedFile* best_wheel(const LockedPackage& package) {
    const LockedFile* best = nullptr;
    Fit best_fit;
    for (const LockedFile& wheel : package.wheels) {
      const Fit& fit = rank_of(wheel.name, package);
      if (fit.rank < 0) continue;
      if (best != nullptr && (fit.rank > best_fit.rank || (fit.rank == best_fit.rank && fit.build <= best_fit.build))) {
        continue;
      }
      best = &wheel;
      best_fit = fit;
    }
    return best;
  }

  const Lock& lock_;
  const Target& target_;
  const MarkerEnvironment environment_;
  const TagSet tags_;
  const Version python_;
  const std::set<std::string> extras_;
  std::set<std::string> groups_;
  // A lock repeats its markers, specifiers and wheel endings often.
  std::map<std::string, bool> markers_, pythons_;
  std::map<std::string, Fit, std::less<>> fits_;
};

}  // namespace

std::vector<Selected> select(const Lock& lock, const Target& target, const SelectOptions& options) {
  return Selector(lock, target, options).run();
}

}  // namespace dae::resolver
