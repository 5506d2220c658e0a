#pragma once
// The policy of each index of a mirror at this moment: what mirror.yaml says, the deny lists as they are now, what was
// let through by name, and the overlays.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "mirror/catalog.h"
#include "mirror/mirror.h"
#include "mirror/policy/deny_watch.h"
#include "mirror/policy/overlay.h"
#include "mirror/policy/policy.h"

namespace dae::mirror {

Overlays overlays_of(const std::vector<IndexConfig>& indexes, PageStore& pages);

// Thread-safe.
class Policies {
 public:
  // Reads the deny lists; throws Error bad_input when one cannot be read.
  Policies(const std::vector<IndexConfig>& indexes, Catalog& catalog, PageStore& pages, const Clock& clock);

  struct Current {
    Policy policy;
    std::string stamp;  // equal stamps: equal policies
  };
  Current of(const std::string& index, const std::string& project);
  // Of one file of the document that the index lists now. Also of names that the index must not speak for: rule
  // "claims".
  Verdict judge(const std::string& index, const ProjectDocument& document, const std::string& file);
  const Overlays& overlays() const { return overlays_; }
  // Neither rules nor overlays: only quarantine holds anything back.
  bool judge_nothing() const { return rules_.empty() && overlays_.empty(); }
  // Of all indexes, overlays included; sorted.
  const std::vector<std::string>& indexes() const { return indexes_; }
  int64_t now_ms() const { return clock_.wall_ms(); }

 private:
  struct Rules {
    PolicyRules rules;
    std::unique_ptr<DenyWatch> deny;
  };
  std::map<std::string, Rules, std::less<>> rules_;  // of the indexes that have any
  std::vector<std::string> indexes_;
  const Overlays overlays_;
  Catalog& catalog_;
  const Clock& clock_;
};

}  // namespace dae::mirror
