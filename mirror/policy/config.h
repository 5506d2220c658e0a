#pragma once
// The keys of an index in mirror.yaml that are policy: cooldown, exempt, deny, and overlay, claims, merge.
#include <string>
#include <vector>

#include "base/value.h"
#include "mirror/policy/rules.h"

namespace dae::mirror {

// Both mark their keys as known and throw Error bad_input with the position of what is wrong.
PolicyRules parse_policy_rules(Reader& index);
// `mode`: what the index says, or "". An index with the key `overlay` is one, whether it says so or not.
OverlayRules parse_overlay_rules(Reader& index, const std::string& mode);

// What can only be judged when all indexes are known: members exist, are no overlays, and are named once. The first
// thing wrong, in words, or "".
struct IndexKind {
  std::string name;
  bool overlay = false;
};
std::string overlay_mistake(const std::string& name, const OverlayRules& rules, const std::vector<IndexKind>& indexes);

}  // namespace dae::mirror
