#pragma once
// The keys of an index in mirror.yaml that are policy: cooldown, exempt, deny, and overlay, claims, merge.
#include <string>
#include <vector>

#include "base/value.h"
#include "mirror/mirror.h"
#include "mirror/policy/rules.h"

namespace dae::mirror {

// All mark their keys as known and throw Error bad_input with the position of what is wrong.
void parse_policy(Reader& reader, IndexConfig& index);  // all of them; makes an overlay of what says that it is one
PolicyRules parse_policy_rules(Reader& index);
// `mode`: what the index says, or "". An index with the key `overlay` is one, whether it says so or not.
OverlayRules parse_overlay_rules(Reader& index, const std::string& mode);

// What can only be judged when all indexes are known: members exist, are no overlays, and are named once.
void check_overlays(Reader& mirror, const std::vector<IndexConfig>& indexes);

}  // namespace dae::mirror
