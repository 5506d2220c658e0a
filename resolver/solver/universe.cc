#include "resolver/solver/universe.h"

#include <algorithm>

namespace dae::resolver {

std::string requirement_label(const Requirement& requirement) {
  std::string out = requirement.key;
  if (!requirement.extras.empty()) {
    out += '[';
    for (size_t i = 0; i < requirement.extras.size(); ++i) out += (i == 0 ? "" : ",") + requirement.extras[i];
    out += ']';
  }
  if (!requirement.url.empty()) return out + " @ " + requirement.url;
  return out + requirement.specifiers.text();
}

Universe::Universe(const SolveRequest& request, Provider& provider, Engine& engine, DirectReferences& references)
    : request_(request),
      provider_(provider),
      engine_(engine),
      references_(references),
      environment_(request.target.markers()) {
  const auto note = [&](const RootRequirement& root) {
    const Requirement& r = root.requirement;
    root_specifiers_[r.key].push_back(&r.specifiers);
    if (r.url.empty()) return;
    references_.from_root.insert(r.key);
    auto& urls = references_.urls[r.key];
    if (std::find(urls.begin(), urls.end(), r.url) == urls.end()) urls.push_back(r.url);
  };
  for (const RootRequirement& root : request.roots) {
    if (!root.requirement.marker.evaluate(environment_)) continue;
    active_roots_.push_back(&root);
    note(root);
  }
  for (size_t i = 0; i < request.constraints.size(); ++i) {
    const RootRequirement& constraint = request.constraints[i];
    if (!constraint.requirement.marker.evaluate(environment_)) continue;
    constraints_[constraint.requirement.key].push_back(i);
    note(constraint);
  }
}

void Universe::add_roots() {
  std::vector<std::string> names;
  for (const RootRequirement* root : active_roots_) names.push_back(root->requirement.key);
  provider_.prefetch(names);
  for (size_t i = 0; i < active_roots_.size(); ++i) add_root(i);
}

void Universe::add_root(size_t index) {
  const Requirement& r = active_roots_[index]->requirement;
  const auto base = intern(r);
  if (!base) return;
  const VersionSet set = matching(*base, r);
  const auto state = [&](PackageId target) {
    Fact fact;
    fact.kind = FactKind::root;
    fact.text = requirement_label(r);
    fact.target = target;
    fact.matches_none = set.empty();
    fact.index = index;
    facts_.push_back(std::move(fact));
    engine_.add({{target, set.complement()}}, static_cast<uint32_t>(facts_.size() - 1));
  };
  state(*base);
  for (const std::string& extra : r.extras) state(intern_extra(*base, extra));
}

std::string Universe::label(PackageId p) const {
  const PackageInfo& i = packages_[p];
  return i.extra.empty() ? i.name : i.name + "[" + i.extra + "]";
}

std::optional<PackageId> Universe::find(const std::string& name, const std::string& extra) const {
  const auto found = ids_.find(extra.empty() ? name : name + "[" + extra + "]");
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<PackageId> Universe::intern(const Requirement& requirement) {
  if (!requirement.url.empty() && references_.refused.count(requirement.url) == 0) {
    auto& urls = references_.urls[requirement.key];
    if (std::find(urls.begin(), urls.end(), requirement.url) == urls.end()) {
      urls.push_back(requirement.url);
      if (ids_.count(requirement.key) != 0) {
        must_restart_ = true;
        return std::nullopt;
      }
    }
  }
  return intern_name(requirement.key);
}

PackageId Universe::intern_name(const std::string& name) {
  const auto found = ids_.find(name);
  if (found != ids_.end()) return found->second;
  PackageInfo made;
  made.name = name;
  load_candidates(made);
  order_candidates(made);
  const auto count = static_cast<uint32_t>(made.candidates.size());
  const PackageId id = engine_.add_package(count);
  made.base = id;
  made.expanded = VersionSet(count + 1);
  packages_.push_back(std::move(made));
  ids_.emplace(name, id);
  state_exclusions(id);
  return id;
}

PackageId Universe::intern_extra(PackageId base, const std::string& extra) {
  const std::string key = packages_[base].name + "[" + extra + "]";
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
  if (!yanked.empty()) exclude(p, yanked, FactKind::yanked, "is yanked; only an exact == chooses it");
  if (!prerelease.empty()) exclude(p, prerelease, FactKind::prerelease, "is a pre-release; these are not allowed");
  const auto constraints = constraints_.find(i.name);
  if (constraints == constraints_.end()) return;
  for (const size_t index : constraints->second) {
    const Requirement& r = request_.constraints[index].requirement;
    VersionSet outside = matching(p, r).complement();
    outside.erase(engine_.absent(p));
    if (!outside.empty()) exclude(p, outside, FactKind::constraint, requirement_label(r), index);
  }
}

IncompatibilityId Universe::exclude(PackageId p, const VersionSet& versions, FactKind kind, const std::string& text,
                                    size_t index) {
  Fact fact;
  fact.kind = kind;
  fact.package = p;
  fact.versions = versions;
  fact.text = text;
  fact.index = index;
  facts_.push_back(std::move(fact));
  return engine_.add({{p, versions}}, static_cast<uint32_t>(facts_.size() - 1));
}

VersionSet Universe::matching(PackageId base, const Requirement& requirement) const {
  const PackageInfo& i = packages_[base];
  VersionSet out(engine_.bits(base));
  for (uint32_t v = 0; v < i.candidates.size(); ++v) {
    const bool fits = requirement.url.empty() ? requirement.specifiers.contains(i.candidates[v].version)
                                              : requirement.url == i.urls[v];
    if (fits) out.insert(v);
  }
  return out;
}

std::vector<Requirement> Universe::requirements(PackageId p, uint32_t ordinal) const {
  const PackageInfo& i = packages_[p];
  const Version& version = base_of(p).candidates[ordinal].version;
  std::vector<Requirement> out;
  const std::set<std::string> extras = i.extra.empty() ? std::set<std::string>{} : std::set<std::string>{i.extra};
  for (const Requirement& r : provider_.dependencies(i.name, version).requirements) {
    if (!r.marker.evaluate(environment_, extras)) continue;
    // What holds without the extra is already required by the package itself.
    if (!extras.empty() && r.marker.evaluate(environment_)) continue;
    out.push_back(r);
  }
  return out;
}

void Universe::expand(PackageId p, uint32_t ordinal) {
  if (packages_[p].expanded.test(ordinal)) return;
  packages_[p].expanded.insert(ordinal);
  const std::string reason = provider_.dependencies(packages_[p].name, base_of(p).candidates[ordinal].version).unusable;
  if (!reason.empty()) {
    if (!packages_[p].extra.empty()) return;
    const auto [known, is_new] = unusable_facts_.try_emplace({p, reason}, 0);
    if (is_new) {
      known->second = exclude(p, VersionSet::single(engine_.bits(p), ordinal), FactKind::unusable, reason);
    } else {
      facts_[engine_.incompatibility(known->second).fact].versions.insert(ordinal);
      engine_.widen(known->second, p, ordinal);
    }
    return;
  }
  const std::vector<Requirement> needed = requirements(p, ordinal);
  std::vector<std::string> unknown;
  for (const Requirement& r : needed) {
    if (ids_.count(r.key) == 0) unknown.push_back(r.key);
  }
  if (!unknown.empty()) provider_.prefetch(unknown);
  for (const Requirement& r : needed) require(p, ordinal, r);
}

void Universe::require(PackageId p, uint32_t ordinal, const Requirement& requirement) {
  const size_t known = packages_.size();
  const auto base = intern(requirement);
  if (!base) return;
  const VersionSet set = matching(*base, requirement);
  if (packages_.size() > known) {
    for (const uint32_t v : packages_[*base].order) {
      if (!set.test(v)) continue;
      provider_.prefetch_metadata(packages_[*base].name, packages_[*base].candidates[v].version);
      break;
    }
  }
  const std::string text = requirement_label(requirement);
  require_one(p, ordinal, *base, set, text);
  for (const std::string& extra : requirement.extras) {
    require_one(p, ordinal, intern_extra(*base, extra), set, text);
  }
}

void Universe::require_one(PackageId p, uint32_t ordinal, PackageId target, const VersionSet& set,
                           const std::string& text) {
  if (p == target && set.test(ordinal)) return;
  // Versions that need the same thing share one fact: fewer to look at, and shorter to tell.
  const auto [known, is_new] = dependency_facts_.try_emplace({p, target, text}, 0);
  if (!is_new) {
    facts_[engine_.incompatibility(known->second).fact].versions.insert(ordinal);
    engine_.widen(known->second, p, ordinal);
    return;
  }
  Fact fact;
  fact.kind = FactKind::dependency;
  fact.package = p;
  fact.versions = VersionSet::single(engine_.bits(p), ordinal);
  fact.text = text;
  fact.target = target;
  fact.matches_none = set.empty();
  const VersionSet versions = fact.versions;
  facts_.push_back(std::move(fact));
  std::vector<Term> terms{{p, versions}};
  if (p != target) terms.push_back({target, set.complement()});
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
