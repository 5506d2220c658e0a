#include "resolver/solver/universe.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "resolver/solver/range_select.h"

namespace dae::resolver {

std::string requirement_label(std::string_view name, std::string_view extras, const SpecifierSet& specifiers,
                              std::string_view url) {
  std::string out(name);
  if (!extras.empty()) out.append("[").append(extras).append("]");
  if (!url.empty()) return out.append(" @ ").append(url);
  return out + specifiers.text();
}

Universe::Universe(const SolveRequest& request, Provider& provider, RequirementTexts& texts, Engine& engine,
                   DirectReferences& references)
    : request_(request), provider_(provider), texts_(texts), engine_(engine), references_(references) {
  const auto active = [&](const RootRequirement& r) { return r.requirement.marker.evaluate(texts_.environment()); };
  const auto note = [&](const Requirement& r) {
    root_specifiers_[r.key].push_back(&r.specifiers);
    if (r.url.empty()) return;
    references_.from_root.insert(r.key);
    auto& urls = references_.urls[r.key];
    if (std::find(urls.begin(), urls.end(), r.url) == urls.end()) urls.push_back(r.url);
  };
  for (const RootRequirement& override : request.overrides) {
    auto& list = overrides_[override.requirement.key];  // one that does not hold here takes the requirement away
    if (!active(override)) continue;
    list.push_back(&override);
    note(override.requirement);
  }
  for (const RootRequirement& root : request.roots) {
    if (!active(root)) continue;
    active_roots_.push_back(&root);
    if (!overrides_.contains(root.requirement.key)) note(root.requirement);
  }
  for (size_t i = 0; i < request.constraints.size(); ++i) {
    const RootRequirement& constraint = request.constraints[i];
    if (!active(constraint)) continue;
    constraints_[constraint.requirement.key].push_back(i);
    note(constraint.requirement);
  }
}

std::string_view Universe::keep(std::string text) {
  return text.empty() ? std::string_view() : kept_.emplace_back(std::move(text));
}

// As written, or what the overrides of its package put in its place; the extras stay.
void Universe::append(Need need, std::vector<Need>& out) {
  const auto overrides = overrides_.empty() ? overrides_.end() : overrides_.find(need.name);
  if (overrides == overrides_.end()) {
    out.push_back(need);
    return;
  }
  for (const RootRequirement* override : overrides->second) {
    const Requirement& r = override->requirement;
    std::set<std::string> extras(r.extras.begin(), r.extras.end());
    for (const std::string& extra : split(need.extras, ',')) {
      if (!extra.empty()) extras.insert(extra);
    }
    need.extras = keep(join({extras.begin(), extras.end()}, ","));
    need.specifier = &texts_.specifier(r.specifiers.text());
    need.url = r.url;
    need.override = override;
    out.push_back(need);
  }
}

void Universe::add_roots() {
  root_needs_.resize(active_roots_.size());
  std::vector<std::string> names;
  for (size_t i = 0; i < active_roots_.size(); ++i) {
    const Requirement& r = active_roots_[i]->requirement;
    Need need;
    need.name = r.key;
    need.extras = keep(join(r.extras, ","));
    need.specifier = &texts_.specifier(r.specifiers.text());
    need.url = r.url;
    append(need, root_needs_[i]);
    if (!root_needs_[i].empty()) names.push_back(r.key);
  }
  provider_.prefetch(names);
  for (size_t i = 0; i < active_roots_.size(); ++i) add_root(i);
}

void Universe::add_root(size_t index) {
  for (Need& need : root_needs_[index]) {
    if (!find_target(need)) return;
    const uint32_t range = range_of(need.target, need);
    const auto state = [&](PackageId target) {
      const VersionSet& outside = packages_[need.target].ranges.entries[range].outside;
      Fact fact;
      fact.kind = FactKind::root;
      fact.need = need;
      fact.target = target;
      fact.matches_none = outside.is_full();
      fact.index = index;
      facts_.push_back(std::move(fact));
      engine_.add({{target, outside}}, static_cast<uint32_t>(facts_.size() - 1));
    };
    state(need.target);
    for (const std::string& extra : split(need.extras, ',')) {
      if (!extra.empty()) state(intern_extra(need.target, extra));
    }
  }
}

std::string Universe::label(PackageId p) const {
  const PackageInfo& i = packages_[p];
  return i.extra.empty() ? i.name : i.name + "[" + i.extra + "]";
}

std::optional<PackageId> Universe::find(const std::string& name, const std::string& extra) const {
  const auto found = ids_.find(extra.empty() ? name : name + "[" + extra + "]");
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

bool Universe::know_url(std::string_view name, std::string_view url) {
  if (url.empty() || references_.refused.contains(url)) return true;
  auto& urls = references_.urls[std::string(name)];
  if (std::find(urls.begin(), urls.end(), url) != urls.end()) return true;
  urls.emplace_back(url);
  return !ids_.contains(name);
}

bool Universe::find_target(Need& need) {
  if (!know_url(need.name, need.url)) {
    must_restart_ = true;
    return false;
  }
  if (need.target == kNoPackage) need.target = intern_name(need.name);
  return true;
}

PackageId Universe::intern_name(std::string_view name) {
  const auto found = ids_.find(name);
  if (found != ids_.end()) return found->second;
  PackageInfo made;
  made.name = name;
  load_candidates(made);
  order_candidates(made);
  const auto count = static_cast<uint32_t>(made.candidates.size());
  const PackageId id = engine_.add_package(count);
  made.base = id;
  made.needs.resize(count);
  made.expanded = VersionSet(count + 1);
  packages_.push_back(std::move(made));
  ids_.emplace(name, id);
  state_exclusions(id);
  return id;
}

PackageId Universe::intern_extra(PackageId base, std::string_view extra) {
  std::string key = packages_[base].name;
  key.append("[").append(extra).append("]");
  const auto found = ids_.find(key);
  if (found != ids_.end()) return found->second;
  PackageInfo made;
  made.name = packages_[base].name;
  made.extra = extra;
  made.base = base;
  made.expanded = VersionSet(engine_.bits(base));
  const PackageId id = engine_.add_package(engine_.absent(base));
  packages_.push_back(std::move(made));
  ids_.emplace(key, id);
  return id;
}

// Where a direct reference and an index offer the same version, the reference stands for it: pins are told apart by
// version alone when the provider is asked for their dependencies.
void Universe::load_candidates(PackageInfo& info) {
  std::vector<Candidate> direct;
  std::vector<std::string> urls;
  const auto known = references_.urls.find(info.name);
  if (known != references_.urls.end()) {
    for (const std::string& url : known->second) {
      direct.push_back(provider_.direct(info.name, url));
      urls.push_back(url);
    }
  }
  if (references_.from_root.count(info.name) == 0) {
    const Provider::Versions& versions = provider_.versions(info.name);
    info.note = versions.note;
    for (const Candidate& candidate : versions.candidates) {
      const bool shadowed =
          std::any_of(direct.begin(), direct.end(), [&](const Candidate& d) { return d.version == candidate.version; });
      if (!shadowed) info.candidates.push_back(candidate);
    }
    std::stable_sort(info.candidates.begin(), info.candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.version > b.version; });
  }
  info.from_index = info.candidates.size();
  info.urls.resize(info.candidates.size());
  info.candidates.insert(info.candidates.end(), direct.begin(), direct.end());
  info.urls.insert(info.urls.end(), urls.begin(), urls.end());
}

// PEP 440 "Handling of pre-releases": final releases first, pre-releases when nothing else is left; side by side when a
// root requirement or constraint names a pre-release of the package.
void Universe::order_candidates(PackageInfo& info) const {
  bool wanted = request_.prereleases == PrereleaseMode::allow;
  const auto roots = root_specifiers_.find(info.name);
  if (roots != root_specifiers_.end()) {
    for (const SpecifierSet* set : roots->second) wanted = wanted || set->mentions_prerelease();
  }
  const auto preferred = request_.preferences.find(info.name);
  std::vector<int> rank(info.candidates.size());
  for (size_t i = 0; i < rank.size(); ++i) {
    const Candidate& candidate = info.candidates[i];
    rank[i] = candidate.version.is_prerelease() && !wanted ? 2 : 1;
    if (candidate.yanked) rank[i] = 3;
    if (!info.urls[i].empty()) rank[i] = 4;
    if (preferred != request_.preferences.end() && candidate.version == preferred->second) rank[i] = 0;
    info.order.push_back(static_cast<uint32_t>(i));
  }
  std::stable_sort(info.order.begin(), info.order.end(), [&](uint32_t a, uint32_t b) { return rank[a] < rank[b]; });
}

// PEP 592: a yanked release only for an exact pin; the pin must be the user's (a root, a constraint, an earlier lock).
bool Universe::may_use_yanked(const std::string& name, const Version& version) const {
  const auto preferred = request_.preferences.find(name);
  if (preferred != request_.preferences.end() && preferred->second == version) return true;
  const auto roots = root_specifiers_.find(name);
  if (roots == root_specifiers_.end()) return false;
  for (const SpecifierSet* set : roots->second) {
    for (const Specifier& part : set->parts()) {
      const bool exact = part.op == SpecifierOp::arbitrary || (part.op == SpecifierOp::equal && !part.prefix);
      if (exact && part.contains(version)) return true;
    }
  }
  return false;
}

void Universe::state_exclusions(PackageId p) {
  const PackageInfo& i = packages_[p];
  VersionSet yanked(engine_.bits(p));
  VersionSet prerelease(engine_.bits(p));
  for (uint32_t v = 0; v < i.candidates.size(); ++v) {
    const Candidate& candidate = i.candidates[v];
    if (!i.urls[v].empty()) continue;
    if (candidate.yanked && !may_use_yanked(i.name, candidate.version)) yanked.insert(v);
    if (request_.prereleases == PrereleaseMode::disallow && candidate.version.is_prerelease()) prerelease.insert(v);
  }
  const auto because = [](FactKind kind, std::string reason) {
    Fact fact;
    fact.kind = kind;
    fact.reason = std::move(reason);
    return fact;
  };
  if (!yanked.empty()) exclude(p, yanked, because(FactKind::yanked, "is yanked; only an exact == chooses it"));
  if (!prerelease.empty()) {
    exclude(p, prerelease, because(FactKind::prerelease, "is a pre-release; these are not allowed"));
  }
  const auto constraints = constraints_.find(i.name);
  if (constraints == constraints_.end()) return;
  for (const size_t index : constraints->second) {
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
}

IncompatibilityId Universe::exclude(PackageId p, const VersionSet& versions, Fact fact) {
  fact.package = p;
  fact.versions = versions;
  facts_.push_back(std::move(fact));
  return engine_.add({{p, versions}}, static_cast<uint32_t>(facts_.size() - 1));
}

std::string Universe::text(const Fact& fact) const {
  if (fact.need.specifier == nullptr) return fact.reason;
  return requirement_label(fact.need.name, fact.need.extras, fact.need.specifier->set, fact.need.url);
}

uint32_t Universe::range_of(PackageId base, const Need& need) {
  PackageInfo& i = packages_[base];
  if (!need.url.empty()) {
    VersionSet set(engine_.bits(base));
    for (uint32_t v = 0; v < i.candidates.size(); ++v) {
      if (i.urls[v] == need.url) set.insert(v);
    }
    return keep_range(base, std::move(set));
  }
  const auto [known, is_new] = i.ranges.by_specifier.try_emplace(need.specifier->id, 0);
  if (is_new) {
    known->second = keep_range(base, select_range(i.candidates, i.from_index, engine_.bits(base), need.specifier->set));
  }
  return known->second;
}

uint32_t Universe::keep_range(PackageId base, VersionSet set) {
  RangeSets& ranges = packages_[base].ranges;
  const size_t hash = set.hash();
  const auto [first, last] = ranges.by_hash.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    if (ranges.entries[it->second].inside == set) return it->second;
  }
  const auto id = static_cast<uint32_t>(ranges.entries.size());
  VersionSet outside = set.complement();
  ranges.entries.push_back({std::move(set), std::move(outside)});
  ranges.by_hash.emplace(hash, id);
  return id;
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
      out.unusable =
          fmt::format("metadata is broken: `{}`: {}", line.name, marker.error.empty() ? specifier.error : marker.error);
      out.plain.clear();
      return;
    }
    if (!marker.holds) continue;
    append({line.name, line.extras, line.url, &specifier, nullptr, kNoPackage}, out.plain);
  }
}

// All extras in one walk: a package with 100 extras has 1,000 lines.
void Universe::read_extras(const Dependencies& dependencies, VersionNeeds& out) {
  out.has_extras = true;
  for (const Dependency& line : dependencies.list) {
    const MarkerReading& marker = texts_.marker(line.marker);
    if (marker.holds) continue;
    const Need need{line.name, line.extras, line.url, &texts_.specifier(line.specifier), nullptr, kNoPackage};
    for (const std::string& extra : marker.extras) append(need, out.by_extra[extra]);
    if (marker.any_extra) out.uncertain.emplace_back(need, &marker);
  }
}

void Universe::expand(PackageId p, uint32_t ordinal) {
  if (packages_[p].expanded.test(ordinal)) return;
  packages_[p].expanded.insert(ordinal);
  const PackageId base = packages_[p].base;
  VersionNeeds& version = read(base, ordinal);
  if (!version.unusable.empty()) {
    if (p == base) state_unusable(p, ordinal, version.unusable);
    return;
  }
  std::vector<Need>* needs = &version.plain;
  if (p != base) {
    if (!version.has_extras) read_extras(*version.source, version);
    needs = &version.by_extra[packages_[p].extra];
    for (const auto& [need, marker] : version.uncertain) {
      if (texts_.holds_with(*marker, packages_[p].extra)) append(need, *needs);
    }
  }
  std::vector<std::string> unknown;
  for (const Need& need : *needs) {
    if (!ids_.contains(need.name)) unknown.emplace_back(need.name);
  }
  if (!unknown.empty()) provider_.prefetch(unknown);
  for (Need& need : *needs) require(p, ordinal, need);
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

void Universe::require(PackageId p, uint32_t ordinal, Need& need) {
  const size_t known = packages_.size();
  if (!find_target(need)) return;
  const uint32_t range = range_of(need.target, need);
  if (packages_.size() > known) {
    const PackageInfo& target = packages_[need.target];
    for (const uint32_t v : target.order) {
      if (!target.ranges.entries[range].inside.test(v)) continue;
      provider_.prefetch_metadata(target.name, target.candidates[v].version);
      break;
    }
  }
  require_one(p, ordinal, need.target, range, need);
  for (size_t at = 0; at < need.extras.size();) {
    const size_t end = std::min(need.extras.find(',', at), need.extras.size());
    require_one(p, ordinal, intern_extra(need.target, need.extras.substr(at, end - at)), range, need);
    at = end + 1;
  }
}

size_t Universe::FactKeyHash::operator()(const FactKey& key) const {
  uint64_t sum = (uint64_t{key.package} << 32 | key.target) * 0x9e3779b97f4a7c15U;
  sum = (sum ^ (sum >> 31) ^ key.range) * 0xbf58476d1ce4e5b9U;
  return static_cast<size_t>(sum ^ (sum >> 29));
}

void Universe::require_one(PackageId p, uint32_t ordinal, PackageId target, uint32_t range, const Need& need) {
  const RangeSets::Entry& sets = packages_[need.target].ranges.entries[range];
  if (p == target && sets.inside.test(ordinal)) return;
  // Versions that need the same thing share one fact: fewer to look at, and shorter to tell.
  const auto [known, is_new] = dependency_facts_.try_emplace({p, target, range}, 0);
  if (!is_new) {
    facts_[engine_.incompatibility(known->second).fact].versions.insert(ordinal);
    engine_.widen(known->second, p, ordinal);
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
  known->second = engine_.add(std::move(terms), static_cast<uint32_t>(facts_.size() - 1));
}

void Universe::tie_to_base(PackageId extra_package, const VersionSet& allowed) {
  Fact fact;
  fact.kind = FactKind::same_version;
  fact.package = extra_package;
  fact.versions = allowed;
  facts_.push_back(std::move(fact));
  engine_.add({{extra_package, allowed}, {packages_[extra_package].base, allowed.complement()}},
              static_cast<uint32_t>(facts_.size() - 1));
}

}  // namespace dae::resolver
