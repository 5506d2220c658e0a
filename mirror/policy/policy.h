#pragma once
// Which files of a project an index offers at a given time: cool-downs, the deny list, quarantine, and what people let
// through by name. Pure: the same document, policy and time give the same answer, on pages and at file URLs alike.
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mirror/index/project_document.h"
#include "mirror/policy/deny_list.h"
#include "mirror/policy/rules.h"

namespace dae::mirror {

inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

// Break-glass: one version that cool-downs do not hold back, nor the advisories that it names.
struct Allowance {
  std::string version;
  int64_t until_ms = kNever;
  std::vector<std::string> advisories;
};

// Of one index and one project.
struct Policy {
  PolicyRules rules;
  std::shared_ptr<const DenyList> denied;  // may be none
  std::vector<Allowance> allowed;

  // Nothing but quarantine: every document is offered as it is, for ever.
  bool is_plain() const { return !rules.has_cooldown() && !denied; }
};

struct Verdict {
  bool admitted = true;
  std::string rule;                 // "cooldown.uploaded", "cooldown.first_seen", "deny.osv", "quarantined"
  std::string reason;               // a sentence for people, without the final stop
  int64_t next_change_ms = kNever;  // when another answer may be given, if nothing but time changes
};

// `file` is one of the document's.
Verdict admits(const Policy& policy, const ProjectDocument& document, const resolver::IndexFile& file, int64_t now_ms);

struct PolicyPage {
  resolver::ProjectPage page;  // with the files that are offered
  int64_t next_change_ms = kNever;
};
PolicyPage apply_policy(const Policy& policy, const ProjectDocument& document, int64_t now_ms);

// How long a client may keep what changes at `next_change_ms`, at most `longest_s`; and until when that answer may be
// given again by somebody who keeps it. Both together never reach beyond the change.
struct Lifetime {
  int64_t max_age_s = 0;
  int64_t valid_until_ms = 0;
};
Lifetime lifetime(int64_t next_change_ms, int64_t now_ms, int64_t longest_s);

}  // namespace dae::mirror
