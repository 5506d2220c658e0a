#include "resolver/solver/pinning.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"

namespace dae::resolver {

Resolution Pinning::run() {
  std::set<std::string> names;
  for (const RootRequirement* root : universe_.active_roots()) names.insert(root->scope);
  scope_names_.assign(names.begin(), names.end());
  const auto scopes = static_cast<uint32_t>(scope_names_.size());
  nodes_.assign(universe_.size(), {false, VersionSet(scopes)});
  for (size_t i = 0; i < universe_.active_roots().size(); ++i) {
    const RootRequirement& root = *universe_.active_roots()[i];
    const auto number = std::lower_bound(scope_names_.begin(), scope_names_.end(), root.scope) - scope_names_.begin();
    const VersionSet own = VersionSet::single(scopes, static_cast<uint32_t>(number));
    for (const Need& wanted : universe_.root_needs(i)) need(wanted, own, root.origin);
  }
  while (!todo_.empty()) {
    const PackageId p = todo_.back();
    todo_.pop_back();
    follow(p);
  }
  Resolution out;
  for (const auto& [base, found] : bases_) {
    out.pins.push_back(pin(base, found));
    warn_about_extras(base, found, out);
  }
  std::sort(out.pins.begin(), out.pins.end(), [](const Pin& a, const Pin& b) { return a.name < b.name; });
  std::sort(out.warnings.begin(), out.warnings.end());
  return out;
}

void Pinning::follow(PackageId p) {
  const PackageInfo& info = universe_.info(p);
  const VersionSet scopes = nodes_[p].scopes;
  for (const Need& wanted : universe_.needs(p, *engine_.decision(info.base))) {
    if (wanted.target == info.base) {  // its own extra
      need(wanted, scopes, "");
      continue;
    }
    bases_[info.base].dependencies.insert(wanted.target);
    need(wanted, scopes, info.name);
  }
}

void Pinning::need(const Need& wanted, const VersionSet& scopes, const std::string& by) {
  const PackageId base = wanted.target;
  Base& found = bases_[base];
  if (!wanted.url.empty()) asked_.emplace(wanted.url);
  if (!by.empty()) found.required_by.insert(by);
  visit(base, scopes);
  for (const std::string& extra : split(wanted.extras, ',')) {
    if (extra.empty()) continue;
    const PackageId p = *universe_.find(universe_.info(base).name, extra);
    found.extras.insert(p);
    visit(p, scopes);
  }
}

// Again whenever another scope arrives.
void Pinning::visit(PackageId p, const VersionSet& scopes) {
  Node& node = nodes_[p];
  if (node.seen && scopes.subset_of(node.scopes)) return;
  node.seen = true;
  node.scopes |= scopes;
  todo_.push_back(p);
}

Pin Pinning::pin(PackageId base, const Base& found) const {
  const PackageInfo& info = universe_.info(base);
  const uint32_t ordinal = *engine_.decision(base);
  Pin out;
  out.name = info.name;
  out.version = info.candidates[ordinal].version;
  out.url = info.urls[ordinal];
  for (const PackageId extra : found.extras) out.extras.push_back(universe_.info(extra).extra);
  for (const PackageId target : found.dependencies) out.dependencies.push_back(universe_.info(target).name);
  std::sort(out.extras.begin(), out.extras.end());
  std::sort(out.dependencies.begin(), out.dependencies.end());
  out.required_by.assign(found.required_by.begin(), found.required_by.end());
  for (uint32_t i = 0; i < scope_names_.size(); ++i) {
    if (nodes_[base].scopes.test(i)) out.scopes.push_back(scope_names_[i]);
  }
  return out;
}

void Pinning::warn_about_extras(PackageId base, const Base& found, Resolution& out) const {
  const PackageInfo& info = universe_.info(base);
  const uint32_t ordinal = *engine_.decision(base);
  for (const PackageId extra : found.extras) {
    if (universe_.provides(extra, ordinal)) continue;
    out.warnings.push_back(fmt::format("`{} {}` has no extra `{}`", info.name, info.candidates[ordinal].version.text(),
                                       universe_.info(extra).extra));
  }
}

std::optional<Pin> Pinning::unasked_reference(const Resolution& resolution) const {
  for (const Pin& pin : resolution.pins) {
    if (!pin.url.empty() && !asked_.contains(pin.url) && !universe_.is_from_user(pin.name)) return pin;
  }
  return std::nullopt;
}

}  // namespace dae::resolver
