#include "mirror/policy/policies.h"

#include <algorithm>

#include "base/strings.h"
#include "mirror/policy/allowances.h"

namespace dae::mirror {
namespace {

std::string stamp_of(uint64_t deny_generation, const std::vector<Allowance>& allowed) {
  std::string stamp = "/" + std::to_string(deny_generation);
  for (const Allowance& one : allowed) {
    stamp += "/" + one.version + "," + std::to_string(one.until_ms) + "," + join(one.advisories, ",");
  }
  return stamp;
}

}  // namespace

Overlays overlays_of(const std::vector<IndexConfig>& indexes, PageStore& pages) {
  std::map<std::string, OverlayRules> overlays;
  std::set<std::string> private_indexes;
  for (const IndexConfig& index : indexes) {
    if (index.overlay.is_overlay()) {
      overlays[index.name] = index.overlay;
    } else if (index.mode == "private") {
      private_indexes.insert(index.name);
    }
  }
  return {std::move(overlays), std::move(private_indexes), pages};
}

Policies::Policies(const std::vector<IndexConfig>& indexes, Catalog& catalog, PageStore& pages, const Clock& clock)
    : overlays_(overlays_of(indexes, pages)), catalog_(catalog), clock_(clock) {
  for (const IndexConfig& index : indexes) {
    indexes_.push_back(index.name);
    const PolicyRules& rules = index.policy;
    if (!rules.has_cooldown() && !rules.has_deny_list()) continue;
    Rules& own = rules_[index.name];
    own.rules = rules;
    if (rules.has_deny_list()) own.deny = std::make_unique<DenyWatch>(rules, clock);
  }
  std::ranges::sort(indexes_);
}

Policies::Current Policies::of(const std::string& index, const std::string& project) {
  const auto found = rules_.find(index);
  if (found == rules_.end()) return {};
  Current current;
  current.policy.rules = found->second.rules;
  uint64_t generation = 0;
  if (found->second.deny) {
    DenyWatch::Current denied = found->second.deny->current();
    current.policy.denied = std::move(denied.list);
    generation = denied.generation;
  }
  current.policy.allowed = read_allowances(catalog_, index, project);
  current.stamp = stamp_of(generation, current.policy.allowed);
  return current;
}

Verdict Policies::judge(const std::string& index, const ProjectDocument& document, const std::string& file) {
  if (std::string barred = overlays_.bar(index, document.page.name); !barred.empty()) {
    Verdict verdict;
    verdict.admitted = false;
    verdict.rule = "claims";
    verdict.reason = std::move(barred) + ", and is not served from `" + index + "`";
    return verdict;
  }
  const auto listed = std::ranges::find(document.page.files, file, &resolver::IndexFile::name);
  DAE_CHECK(listed != document.page.files.end());
  return admits(of(index, document.page.name).policy, document, *listed, clock_.wall_ms());
}

}  // namespace dae::mirror
