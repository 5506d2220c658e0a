#include "resolver/solver/universe.h"

#include <algorithm>

#include "base/strings.h"

namespace dae::resolver {

std::string requirement_label(const Need& need) {
  std::string out(need.name);
  if (!need.extras.empty()) out.append("[").append(need.extras).append("]");
  if (!need.url.empty()) return out.append(" @ ").append(need.url);
  return out + need.specifier->set.text();
}

Universe::Universe(const SolveRequest& request, Provider& provider, RequirementTexts& texts, Engine& engine,
                   Remembered& remembered)
    : request_(request), provider_(provider), texts_(texts), engine_(engine), remembered_(remembered) {
  const auto active = [&](const RootRequirement& r) { return r.requirement.marker.evaluate(texts_.environment()); };
  const auto note = [&](const Requirement& r) {
    user_specifiers_[r.key].push_back(&r.specifiers);
    if (r.url.empty()) return;
    remembered_.from_root.insert(r.key);
    auto& urls = remembered_.urls[r.key];
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
    root_names_.insert(root.requirement.key);
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

void Universe::append(Need need, std::vector<Need>& out) {
  const auto overrides = overrides_.empty() ? overrides_.end() : overrides_.find(need.name);
  if (overrides == overrides_.end()) {
    out.push_back(need);
    return;
  }
  const std::string_view written = need.extras;
  for (const RootRequirement* override : overrides->second) {
    const Requirement& r = override->requirement;
    std::set<std::string> extras(r.extras.begin(), r.extras.end());
    for (std::string& extra : split(written, ',')) {
      if (!extra.empty()) extras.insert(std::move(extra));
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
    for (Need& stated : root_needs_[i]) {
      if (!ids_.contains(stated.name)) names.emplace_back(stated.name);
      find_target(stated);
    }
  }
  provider_.prefetch(names);
  for (size_t i = 0; i < active_roots_.size(); ++i) add_root(i);
}

void Universe::add_root(size_t index) {
  for (const Need& need : root_needs_[index]) {
    if (!packages_[need.target].loaded) load(need.target);
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

std::string Universe::text(const Fact& fact) const {
  return fact.need.specifier == nullptr ? fact.reason : requirement_label(fact.need);
}

std::optional<PackageId> Universe::find(std::string_view name, std::string_view extra) const {
  std::string key(name);
  if (!extra.empty()) key.append("[").append(extra).append("]");
  const auto found = ids_.find(key);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

bool Universe::know_url(std::string_view name, std::string_view url) {
  if (url.empty() || remembered_.refused.contains(url)) return true;
  auto& urls = remembered_.urls[std::string(name)];
  if (std::find(urls.begin(), urls.end(), url) != urls.end()) return true;
  urls.emplace_back(url);
  const auto known = ids_.find(name);
  return known == ids_.end() || !packages_[known->second].loaded;
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
  const PackageId id = engine_.add_package(0);
  PackageInfo& made = packages_.emplace_back();
  made.name = name;
  made.base = id;
  ids_.emplace(name, id);
  return id;
}

PackageId Universe::intern_extra(PackageId base, std::string_view extra) {
  std::string key = packages_[base].name;
  key.append("[").append(extra).append("]");
  const auto found = ids_.find(key);
  if (found != ids_.end()) return found->second;
  const PackageId id = engine_.add_package(engine_.absent(base));
  PackageInfo& made = packages_.emplace_back();
  made.name = packages_[base].name;
  made.extra = extra;
  made.base = base;
  made.expanded = VersionSet(engine_.bits(base));
  packages_[base].extras.push_back(id);
  ids_.emplace(std::move(key), id);
  return id;
}

bool Universe::has_waiting() const {
  for (const auto& [target, list] : waiting_) {
    if (std::any_of(list.begin(), list.end(), [&](const Waiting& w) { return is_live(w); })) return true;
  }
  return false;
}

std::vector<PackageId> Universe::advance() {
  std::vector<PackageId> loaded;
  for (const auto& [target, list] : waiting_) {
    if (std::any_of(list.begin(), list.end(), [&](const Waiting& w) { return is_live(w); })) loaded.push_back(target);
  }
  for (const PackageId p : loaded) {
    load(p);
    const std::vector<Waiting> list = std::move(waiting_[p]);
    waiting_.erase(p);
    for (const Waiting& w : list) require(w.package, w.ordinal, *w.need);
  }
  return loaded;
}

bool Universe::provides(PackageId extra_package, uint32_t ordinal) const {
  const PackageInfo& i = packages_[extra_package];
  const VersionNeeds& version = *packages_[i.base].needs[ordinal];
  const auto& names = version.source->provides_extra;
  // Old metadata may use an extra that it does not announce.
  return std::find(names.begin(), names.end(), i.extra) != names.end() || !needs(extra_package, ordinal).empty();
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
