// The candidates of a package: which there are, in what order they are tried, which are ruled out from the start.
#include <algorithm>

#include "resolver/solver/universe.h"

namespace dae::resolver {

void Universe::load(PackageId p) {
  PackageInfo& info = packages_[p];
  load_candidates(info);
  order_candidates(info);
  const auto count = static_cast<uint32_t>(info.candidates.size());
  engine_.set_candidates(p, count);
  info.needs.resize(count);
  info.expanded = VersionSet(count + 1);
  info.loaded = true;
  state_exclusions(p);
}

// Where a direct reference and an index offer the same version, the reference stands for it: pins are told apart by
// version alone when the provider is asked for their dependencies.
void Universe::load_candidates(PackageInfo& info) {
  std::vector<Candidate> direct;
  std::vector<std::string> urls;
  const auto known = remembered_.urls.find(info.name);
  if (known != remembered_.urls.end()) {
    for (const std::string& url : known->second) {
      direct.push_back(provider_.direct(info.name, url));
      urls.push_back(url);
    }
  }
  if (!remembered_.from_root.contains(info.name)) {
    const Provider::Versions& versions = provider_.versions(info.name);
    info.note = versions.note;
    info.hidden_by_cutoff = &versions.hidden_by_cutoff;
    info.candidates.reserve(versions.candidates.size() + direct.size());
    for (const Candidate& candidate : versions.candidates) {
      const bool shadowed =
          std::any_of(direct.begin(), direct.end(), [&](const Candidate& d) { return d.version == candidate.version; });
      if (!shadowed) info.candidates.push_back(candidate);
    }
    const auto newer = [](const Candidate& a, const Candidate& b) { return a.version > b.version; };
    if (!std::is_sorted(info.candidates.begin(), info.candidates.end(), newer)) {
      std::stable_sort(info.candidates.begin(), info.candidates.end(), newer);
    }
  }
  info.from_index = info.candidates.size();
  info.urls.resize(info.candidates.size());
  info.candidates.insert(info.candidates.end(), direct.begin(), direct.end());
  info.urls.insert(info.urls.end(), urls.begin(), urls.end());
}

// PEP 440 "Handling of pre-releases": final releases first, pre-releases when nothing else is left; side by side when a
// requirement or constraint of the user names a pre-release of the package.
void Universe::order_candidates(PackageInfo& info) const {
  info.lowest_first = request_.selection == Selection::lowest ||
                      (request_.selection == Selection::lowest_direct && root_names_.contains(info.name));
  bool& wanted = info.wants_prereleases;
  wanted = request_.prereleases == PrereleaseMode::allow;
  const auto users = user_specifiers_.find(info.name);
  if (users != user_specifiers_.end()) {
    for (const SpecifierSet* set : users->second) wanted = wanted || set->mentions_prerelease();
  }
  enum Tier : size_t { preferred, ordinary, prerelease, yanked, direct, kTiers };
  const auto earlier = request_.preferences.find(info.name);
  const auto bits = static_cast<uint32_t>(info.candidates.size() + 1);
  info.tiers.assign(kTiers, VersionSet(bits));
  for (uint32_t i = 0; i < info.candidates.size(); ++i) {
    const Candidate& candidate = info.candidates[i];
    Tier tier = ordinary;
    if (earlier != request_.preferences.end() && candidate.version == earlier->second) {
      tier = preferred;
    } else if (!info.urls[i].empty()) {
      tier = direct;
    } else if (candidate.yanked) {
      tier = yanked;
    } else if (!wanted && candidate.version.is_prerelease()) {
      tier = prerelease;
    }
    info.tiers[tier].insert(i);
  }
  info.finals = info.put_off = VersionSet(bits);
  for (uint32_t i = 0; i < info.candidates.size(); ++i) {
    const Candidate& candidate = info.candidates[i];
    if (!candidate.yanked && !candidate.version.is_prerelease()) info.finals.insert(i);
  }
  std::erase_if(info.tiers, [](const VersionSet& set) { return set.empty(); });
}

// PEP 592: a yanked release only for an exact pin; the pin must be the user's (a root, a constraint, an earlier lock).
bool Universe::may_use_yanked(const std::string& name, const Version& version) const {
  const auto preferred = request_.preferences.find(name);
  if (preferred != request_.preferences.end() && preferred->second == version) return true;
  const auto users = user_specifiers_.find(name);
  if (users == user_specifiers_.end()) return false;
  for (const SpecifierSet* set : users->second) {
    for (const Specifier& part : set->parts()) {
      const bool exact = part.op == SpecifierOp::arbitrary || (part.op == SpecifierOp::equal && !part.prefix);
      if (exact && part.contains(version)) return true;
    }
  }
  return false;
}

void Universe::state_exclusions(PackageId p) {
  const PackageInfo& i = packages_[p];
  const auto state = [&](FactKind kind, const char* reason, auto excluded) {
    VersionSet out(engine_.bits(p));
    for (uint32_t v = 0; v < i.from_index; ++v) {
      if (excluded(i.candidates[v])) out.insert(v);
    }
    if (out.empty()) return;
    Fact fact;
    fact.kind = kind;
    fact.reason = reason;
    exclude(p, out, std::move(fact));
  };
  state(FactKind::yanked, "is yanked; only an exact == of your own chooses it",
        [&](const Candidate& c) { return c.yanked && !may_use_yanked(i.name, c.version); });
  if (request_.prereleases == PrereleaseMode::disallow) {
    state(FactKind::prerelease, "is a pre-release; these are not allowed",
          [](const Candidate& c) { return c.version.is_prerelease(); });
  }
  state_prereleases(p);
  const auto constraints = constraints_.find(i.name);
  if (constraints == constraints_.end()) return;
  for (const size_t index : constraints->second) state_constraint(p, index);
}

// PEP 440: a pre-release is chosen when no final release satisfies what is asked for, and not because the search has
// found a reason against each of them: that is how a beta of a four years old release comes into an answer.
void Universe::state_prereleases(PackageId p) {
  PackageInfo& i = packages_[p];
  if (request_.prereleases != PrereleaseMode::if_necessary || i.wants_prereleases || i.finals.empty()) return;
  if (remembered_.prereleases.contains(i.name)) return;
  const auto earlier = request_.preferences.find(i.name);
  for (uint32_t v = 0; v < i.from_index; ++v) {
    const Version& version = i.candidates[v].version;
    if (!version.is_prerelease()) continue;
    if (earlier == request_.preferences.end() || earlier->second != version) i.put_off.insert(v);
  }
  if (i.put_off.empty()) return;
  const auto allow = [&](const Need& need) {
    if (needs_prerelease(p, need)) i.put_off.remove(i.ranges.entries[range_of(p, need)].inside);
  };
  for (const auto& list : root_needs_) {
    for (const Need& need : list) {
      if (need.target == p) allow(need);
    }
  }
  if (const auto waiting = waiting_.find(p); waiting != waiting_.end()) {
    for (const Waiting& w : waiting->second) allow(*w.need);
  }
  const auto ranges = remembered_.prerelease_ranges.find(i.name);
  if (ranges != remembered_.prerelease_ranges.end()) {
    for (const std::string& text : ranges->second) {
      Need need;
      need.specifier = &texts_.specifier(text);
      allow(need);
    }
  }
  if (i.put_off.empty()) return;
  Fact fact;
  fact.kind = FactKind::prerelease;
  fact.reason = "is a pre-release; there are final releases";
  exclude(p, i.put_off, std::move(fact));
}

// Whether pre-releases are all the requirement lets through.
bool Universe::needs_prerelease(PackageId p, const Need& need) {
  const PackageInfo& i = packages_[p];
  if (i.put_off.empty() || !need.url.empty()) return false;
  const VersionSet& inside = i.ranges.entries[range_of(p, need)].inside;
  return inside.disjoint(i.finals) && !inside.disjoint(i.put_off);
}

void Universe::state_constraint(PackageId p, size_t index) {
  const Requirement& r = request_.constraints[index].requirement;
  Fact fact;
  fact.kind = FactKind::constraint;
  fact.need.name = r.key;
  fact.need.specifier = &texts_.specifier(r.specifiers.text());
  fact.need.url = r.url;
  fact.index = index;
  VersionSet outside = packages_[p].ranges.entries[range_of(p, fact.need)].outside;
  outside.erase(engine_.absent(p));
  if (!outside.empty()) exclude(p, outside, std::move(fact));
}

IncompatibilityId Universe::exclude(PackageId p, const VersionSet& versions, Fact fact) {
  fact.package = p;
  fact.versions = versions;
  facts_.push_back(std::move(fact));
  return engine_.add({{p, versions}}, static_cast<uint32_t>(facts_.size() - 1));
}

}  // namespace dae::resolver
