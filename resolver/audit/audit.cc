#include "resolver/audit/audit.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/strings.h"

namespace dae::resolver {
namespace {

struct Hit {
  const Advisory* advisory = nullptr;
  const AffectedPackage* package = nullptr;
};

// Hits that share a name, directly or through others, are one problem.
std::vector<std::vector<Hit>> grouped(const std::vector<Hit>& hits) {
  std::vector<size_t> leader(hits.size());
  std::iota(leader.begin(), leader.end(), size_t{0});
  const auto find = [&](size_t at) {
    while (leader[at] != at) at = leader[at] = leader[leader[at]];
    return at;
  };
  std::map<std::string, size_t> by_name;
  for (size_t i = 0; i < hits.size(); ++i) {
    std::vector<std::string> names = hits[i].advisory->aliases;
    names.push_back(hits[i].advisory->id);
    for (const std::string& name : names) {
      const auto [known, fresh] = by_name.emplace(lower(name), i);
      if (!fresh) leader[std::max(find(i), find(known->second))] = std::min(find(i), find(known->second));
    }
  }
  std::map<size_t, std::vector<Hit>> groups;
  for (size_t i = 0; i < hits.size(); ++i) groups[find(i)].push_back(hits[i]);
  std::vector<std::vector<Hit>> out;
  for (auto& [first, group] : groups) out.push_back(std::move(group));
  return out;
}

bool is_worse(const SeverityScore& a, const SeverityScore& b) {
  return a.rating != b.rating ? a.rating > b.rating : a.score.value_or(-1) > b.score.value_or(-1);
}

bool any_holds(const Advisory& advisory, std::string_view package, const Version& version) {
  return std::ranges::any_of(
      advisory.packages, [&](const AffectedPackage& one) { return one.name == package && is_affected(one, version); });
}

std::vector<std::string> fixes_of(const std::vector<Hit>& group, const Version& version) {
  std::vector<Version> found;
  for (const Hit& hit : group) {
    for (Version& fix : fixed_versions(*hit.package)) {
      const bool helps = fix > version && std::ranges::none_of(group, [&](const Hit& other) {
                           return any_holds(*other.advisory, other.package->name, fix);
                         });
      if (helps) found.push_back(std::move(fix));
    }
  }
  std::ranges::sort(found);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  std::vector<std::string> out;
  for (const Version& fix : found) out.push_back(fix.text());
  return out;
}

void read_records(const std::vector<Hit>& group, Finding& out) {
  std::set<std::string> aliases;
  for (const Hit& hit : group) {
    const Advisory& advisory = *hit.advisory;
    if (std::ranges::find(out.ids, advisory.id) == out.ids.end()) out.ids.push_back(advisory.id);
    aliases.insert(advisory.aliases.begin(), advisory.aliases.end());
    out.malware = out.malware || advisory.is_malware();
    const bool own = hit.package->severity.rating != Severity::unknown;
    const SeverityScore& severity = own ? hit.package->severity : advisory.severity;
    const bool first = out.severity.rating == Severity::unknown && out.severity.vector.empty();
    if (first || is_worse(severity, out.severity)) out.severity = severity;
    if (out.summary.empty()) out.summary = advisory.summary;
    if (out.url.empty()) out.url = advisory.url;
    if (out.published.empty() || (!advisory.published.empty() && advisory.published < out.published)) {
      out.published = advisory.published;
    }
    for (const std::string& text : hit.package->unreadable) out.unreadable.push_back(text);
  }
  std::ranges::sort(out.ids);
  for (const std::string& alias : aliases) {
    if (std::ranges::find(out.ids, alias) == out.ids.end()) out.aliases.push_back(alias);
  }
}

void apply_ignores(const std::vector<AuditIgnore>& ignores, int64_t wall_ms, Finding& out) {
  if (out.malware) return;
  const auto named = [&](const AuditIgnore& ignore) {
    const auto same = [&](const std::string& id) { return iequals(id, ignore.id); };
    return std::ranges::any_of(out.ids, same) || std::ranges::any_of(out.aliases, same);
  };
  for (const AuditIgnore& ignore : ignores) {
    if (named(ignore)) (is_expired(ignore, wall_ms) ? out.expired : out.ignored) = ignore;
  }
  if (out.ignored) out.expired.reset();
}

bool goes_before(const Finding& a, const Finding& b) {
  if (a.malware != b.malware) return a.malware;
  if (is_worse(a.severity, b.severity) || is_worse(b.severity, a.severity)) return is_worse(a.severity, b.severity);
  return std::tie(a.package, a.version, a.ids) < std::tie(b.package, b.version, b.ids);
}

}  // namespace

Audit::Audit(const std::vector<AuditPackage>& packages) {
  for (const AuditPackage& package : packages) {
    if (!Version::try_parse(package.version)) {
      unchecked_.push_back(package);
      continue;
    }
    std::vector<std::string>& versions = versions_[package.name];
    if (std::ranges::find(versions, package.version) == versions.end()) versions.push_back(package.version);
  }
}

PackageFilter Audit::wanted() const {
  return [this](std::string_view name) { return versions_.contains(name); };
}

size_t Audit::checked() const {
  size_t out = 0;
  for (const auto& [name, versions] : versions_) out += versions.size();
  return out;
}

void Audit::add(Advisory advisory) {
  const auto known = advisories_.find(advisory.id);
  // Of two copies of one record the one that was changed last counts.
  if (known != advisories_.end() && known->second.modified >= advisory.modified) return;
  std::string id = advisory.id;
  advisories_.insert_or_assign(std::move(id), std::move(advisory));
}

size_t Audit::withdrawn() const {
  return static_cast<size_t>(
      std::ranges::count_if(advisories_, [](const auto& entry) { return entry.second.withdrawn; }));
}

std::vector<Finding> Audit::findings(const std::vector<AuditIgnore>& ignores, int64_t wall_ms) const {
  std::map<std::string_view, std::vector<Hit>> by_package;
  for (const auto& [id, advisory] : advisories_) {
    if (advisory.withdrawn) continue;
    for (const AffectedPackage& package : advisory.packages) by_package[package.name].push_back({&advisory, &package});
  }
  std::vector<Finding> out;
  for (const auto& [name, versions] : versions_) {
    const auto found = by_package.find(name);
    if (found == by_package.end()) continue;
    for (const std::string& text : versions) {
      const Version version = Version::parse(text);
      std::vector<Hit> hits;
      std::ranges::copy_if(found->second, std::back_inserter(hits),
                           [&](const Hit& hit) { return is_affected(*hit.package, version); });
      for (const std::vector<Hit>& group : grouped(hits)) {
        Finding finding;
        finding.package = name;
        finding.version = text;
        read_records(group, finding);
        finding.fixed_in = fixes_of(group, version);
        apply_ignores(ignores, wall_ms, finding);
        out.push_back(std::move(finding));
      }
    }
  }
  std::ranges::sort(out, goes_before);
  return out;
}

bool Audit::still_holds(const Finding& finding, const std::string& version) const {
  const auto other = Version::try_parse(version);
  return !other || std::ranges::any_of(finding.ids, [&](const std::string& id) {
    return any_holds(advisories_.at(id), finding.package, *other);
  });
}

bool counts_at(const Finding& finding, Severity level) {
  return finding.malware || finding.severity.rating == Severity::unknown || finding.severity.rating >= level;
}

}  // namespace dae::resolver
