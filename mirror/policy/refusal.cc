#include "mirror/policy/refusal.h"

#include "base/clock.h"
#include "base/value.h"

namespace dae::mirror {

ServerResponse refusal_answer(const PolicyRefusal& refusal) {
  const Verdict& verdict = refusal.verdict();
  Value problem = Value::object({{"type", "about:blank"},
                                 {"title", "the policy of this index does not offer this file"},
                                 {"status", 403},
                                 {"detail", verdict.reason},
                                 {"rule", verdict.rule}});
  if (verdict.next_change_ms != kNever) problem.set("until", format_utc(verdict.next_change_ms));
  ServerResponse response = ServerResponse::json(403, canonical_json(problem), "application/problem+json");
  response.reason = verdict.reason;  // all that some installers print
  response.headers.set("Cache-Control", "no-cache");
  return response;
}

}  // namespace dae::mirror
