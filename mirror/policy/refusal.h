#pragma once
// The answer for a file that an index lists but does not offer.
#include "base/error.h"
#include "base/http_server.h"
#include "mirror/policy/policy.h"

namespace dae::mirror {

class PolicyRefusal : public Error {
 public:
  explicit PolicyRefusal(const Verdict& verdict)
      : Error(ErrorKind::refused, verdict.reason, "", "rule: " + verdict.rule), verdict_(verdict) {}
  const Verdict& verdict() const { return verdict_; }

 private:
  Verdict verdict_;
};

// 403 with a problem document (RFC 9457) that names the rule, and until when it holds if time alone lifts it.
ServerResponse refusal_answer(const PolicyRefusal& refusal);

}  // namespace dae::mirror
