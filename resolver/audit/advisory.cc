#include "resolver/audit/advisory.h"

#include <algorithm>

namespace dae::resolver {
namespace {

using Kind = VersionEvent::Kind;

std::strong_ordering compare(const Version& version, const Version& stated) {
  return stated.is_local() ? version <=> stated : version.compare_public(stated);
}

bool before_limits(const std::vector<VersionEvent>& range, const Version& version) {
  bool limited = false;
  for (const VersionEvent& event : range) {
    if (event.kind != Kind::limit) continue;
    limited = true;
    if (!event.version || compare(version, *event.version) < 0) return true;
  }
  return !limited;
}

bool in_range(const std::vector<VersionEvent>& range, const Version& version) {
  if (!before_limits(range, version)) return false;
  bool affected = false;
  for (const VersionEvent& event : range) {
    if (event.kind == Kind::introduced) {
      if (!event.version || compare(version, *event.version) >= 0) affected = true;
    } else if (event.kind == Kind::fixed) {
      if (event.version && compare(version, *event.version) >= 0) affected = false;
    } else if (event.kind == Kind::last_affected) {
      if (event.version && compare(version, *event.version) > 0) affected = false;
    }
  }
  return affected;
}

bool is_listed(const std::vector<std::string>& versions, const Version& version) {
  return std::ranges::any_of(versions, [&](const std::string& text) {
    const auto listed = Version::try_parse(text);
    return listed && compare(version, *listed) == 0;
  });
}

}  // namespace

bool is_affected(const AffectedPackage& package, const Version& version) {
  if (is_listed(package.versions, version)) return true;
  for (const auto& range : package.ranges) {
    if (in_range(range, version)) return true;
  }
  return !package.unreadable.empty() && package.versions.empty();
}

std::vector<Version> fixed_versions(const AffectedPackage& package) {
  std::vector<Version> out;
  for (const auto& range : package.ranges) {
    for (const VersionEvent& event : range) {
      if (event.kind == Kind::fixed && event.version) out.push_back(*event.version);
    }
  }
  return out;
}

}  // namespace dae::resolver
