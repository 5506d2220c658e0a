// What versions need: read from the provider's lines, stated to the engine.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "resolver/solver/range_select.h"
#include "resolver/solver/universe.h"

namespace dae::resolver {

uint32_t Universe::range_of(PackageId base, const Need& need) {
  PackageInfo& i = packages_[base];
  if (!need.url.empty()) {
    VersionSet set(engine_.bits(base));
    for (uint32_t v = 0; v < i.candidates.size(); ++v) {
      if (i.urls[v] == need.url) set.insert(v);
    }
    return keep_range(base, std::move(set));
  }
  const uint64_t key = uint64_t{base} << 32 | need.specifier->id;
  if (const uint32_t* known = ranges_by_specifier_.find(key)) return *known;
  const uint32_t made =
      keep_range(base, select_range(i.candidates, i.from_index, engine_.bits(base), need.specifier->set));
  *ranges_by_specifier_.try_emplace(key).first = made;
  return made;
}

uint32_t Universe::keep_range(PackageId base, VersionSet set) {
  RangeSets& ranges = packages_[base].ranges;
  // Another set with that hash, once in a blue moon, has the next key.
  uint64_t key = static_cast<uint64_t>(set.hash()) ^ (uint64_t{base} << 32);
  while (true) {
    if (key == FlatMap::kFree) ++key;
    const auto [id, is_new] = ranges_by_hash_.try_emplace(key);
    if (is_new) *id = static_cast<uint32_t>(kept_ranges_.size());
    if (is_new) kept_ranges_.emplace_back(base, static_cast<uint32_t>(ranges.entries.size()));
    const auto [owner, entry] = kept_ranges_[*id];
    if (is_new) {
      VersionSet outside = set.complement();
      ranges.entries.push_back({std::move(set), std::move(outside)});
      return entry;
    }
    if (owner == base && ranges.entries[entry].inside == set) return entry;
    ++key;
  }
}

const std::vector<Need>& Universe::needs(PackageId p, uint32_t ordinal) const {
  static const std::vector<Need> none;
  const PackageInfo& i = packages_[p];
  const VersionNeeds& needs = *packages_[i.base].needs[ordinal];
  if (i.extra.empty()) return needs.plain;
  const auto found = needs.by_extra.find(i.extra);
  return found == needs.by_extra.end() ? none : found->second;
}

VersionNeeds& Universe::read(PackageId base, uint32_t ordinal) {
  std::unique_ptr<VersionNeeds>& slot = packages_[base].needs[ordinal];
  if (slot) return *slot;
  const Dependencies& found = provider_.dependencies(packages_[base].name, packages_[base].candidates[ordinal].version);
  slot = std::make_unique<VersionNeeds>();
  slot->source = &found;
  slot->unusable = found.unusable;
  if (slot->unusable.empty()) read_plain(found, *slot);
  return *slot;
}

// One line that cannot be read spoils the version, also when it would not apply here: that is what pip does.
void Universe::read_plain(const Dependencies& dependencies, VersionNeeds& out) {
  for (const Dependency& line : dependencies.list) {
    const MarkerReading& marker = texts_.marker(line.marker);
    const SpecifierReading& specifier = texts_.specifier(line.specifier);
    if (!marker.error.empty() || !specifier.error.empty()) {
      out.unusable = fmt::format("metadata is broken: what it needs of `{}`: {}", line.name,
                                 marker.error.empty() ? specifier.error : marker.error);
      out.plain.clear();
      return;
    }
    if (marker.holds) append({line.name, line.extras, line.url, &specifier, nullptr, kNoPackage}, out.plain);
  }
}

// All extras in one walk: a package with 100 extras has 1,000 lines.
void Universe::read_extras(const Dependencies& dependencies, VersionNeeds& out) {
  out.has_extras = true;
  for (const Dependency& line : dependencies.list) {
    const MarkerReading& marker = texts_.marker(line.marker);
    if (marker.holds || (marker.extras.empty() && !marker.any_extra)) continue;
    const Need need{line.name, line.extras, line.url, &texts_.specifier(line.specifier), nullptr, kNoPackage};
    for (const std::string& extra : marker.extras) append(need, out.by_extra[extra]);
    if (marker.any_extra) out.uncertain.emplace_back(need, &marker);
  }
}

std::vector<Need>& Universe::needs_of_extra(VersionNeeds& version, const std::string& extra) {
  if (!version.has_extras) read_extras(*version.source, version);
  std::vector<Need>& out = version.by_extra[extra];
  for (const auto& [need, marker] : version.uncertain) {
    if (texts_.holds_with(*marker, extra)) append(need, out);
  }
  return out;
}

void Universe::expand(PackageId p, uint32_t ordinal) {
  PackageInfo& info = packages_[p];
  if (info.expanded.test(ordinal)) return;
  info.expanded.insert(ordinal);
  VersionNeeds& version = read(info.base, ordinal);
  if (!version.unusable.empty()) {
    if (info.extra.empty()) state_unusable(p, ordinal, version.unusable);
    return;
  }
  std::vector<Need>& needs = info.extra.empty() ? version.plain : needs_of_extra(version, info.extra);
  std::vector<std::string> unknown;
  for (const Need& need : needs) {
    if (!ids_.contains(need.name)) unknown.emplace_back(need.name);
  }
  if (!unknown.empty()) provider_.prefetch(unknown);
  for (Need& need : needs) {
    if (!find_target(need)) return;
    if (packages_[need.target].loaded) {
      require(p, ordinal, need);
    } else {
      waiting_[need.target].push_back({p, ordinal, &need});
    }
  }
}

void Universe::state_unusable(PackageId p, uint32_t ordinal, const std::string& reason) {
  const auto [known, is_new] = unusable_facts_.try_emplace({p, reason}, 0);
  if (is_new) {
    Fact fact;
    fact.kind = FactKind::unusable;
    fact.reason = reason;
    known->second = exclude(p, VersionSet::single(engine_.bits(p), ordinal), std::move(fact));
    return;
  }
  facts_[engine_.incompatibility(known->second).fact].versions.insert(ordinal);
  engine_.widen(known->second, p, ordinal);
}

void Universe::require(PackageId p, uint32_t ordinal, const Need& need) {
  if (needs_prerelease(need.target, need)) {
    remembered_.prerelease_ranges[packages_[need.target].name].insert(need.specifier->set.text());
    must_restart_ = true;
    return;
  }
  const uint32_t range = range_of(need.target, need);
  require_one(p, ordinal, need.target, range, need);
  for (size_t at = 0; at < need.extras.size();) {
    const size_t end = std::min(need.extras.find(',', at), need.extras.size());
    require_one(p, ordinal, intern_extra(need.target, need.extras.substr(at, end - at)), range, need);
    at = end + 1;
  }
}

// Two numbers of packages and one of a range in one word: neither 2 million packages nor 4 million different ranges of
// one are anything but an attack.
uint64_t Universe::fact_key(PackageId p, PackageId target, uint32_t range) {
  if (p >> 21 != 0 || target >> 21 != 0 || range >> 22 != 0) {
    throw Error(ErrorKind::refused, "the requirements lead to more packages than can be looked at");
  }
  return uint64_t{p} << 43 | uint64_t{target} << 22 | range;
}

void Universe::require_one(PackageId p, uint32_t ordinal, PackageId target, uint32_t range, const Need& need) {
  const RangeSets::Entry& sets = packages_[need.target].ranges.entries[range];
  if (p == target && sets.inside.test(ordinal)) return;
  // Versions that need the same thing share one fact: fewer to look at, and shorter to tell.
  const auto [known, is_new] = dependency_facts_.try_emplace(fact_key(p, target, range));
  if (!is_new) {
    facts_[engine_.incompatibility(*known).fact].versions.insert(ordinal);
    engine_.widen(*known, p, ordinal);
    if (engine_.decision(p)) engine_.mark_late(*known, p);
    return;
  }
  Fact fact;
  fact.kind = FactKind::dependency;
  fact.package = p;
  fact.versions = VersionSet::single(engine_.bits(p), ordinal);
  fact.need = need;
  fact.target = target;
  fact.matches_none = sets.inside.empty();
  std::vector<Term> terms{{p, fact.versions}};
  facts_.push_back(std::move(fact));
  if (p != target) terms.push_back({target, sets.outside});
  *known = engine_.add(std::move(terms), static_cast<uint32_t>(facts_.size() - 1));
  if (engine_.decision(p)) engine_.mark_late(*known, p);
}

}  // namespace dae::resolver
