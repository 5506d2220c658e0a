#pragma once
// What one node's latest report says about one release. Pure; used by step().
#include <map>
#include <string>

#include "deployer/rollout.h"

namespace dae::deployer {

struct Judgement {
  enum class Kind {
    silent,   // nothing to judge by (yet)
    working,  // on its way
    ready,
    failed,
    lost,  // no report for too long
  };
  Kind kind = Kind::silent;
  std::string phase;            // as reported, for messages
  std::string error, log_tail;  // of failed and lost
  int64_t restarts = 0;         // of ready
};

struct Reports {
  const std::map<std::string, Observed>& observed;
  const std::map<std::string, Node>& nodes;
  const RolloutKnobs& knobs;
  int64_t now_ms;
};

// A node that has its turn or had it: does it run `release`, and has it been well since it became ready?
Judgement judge_deploy(const Reports& reports, const std::string& app, const std::string& release,
                       const RolloutNode& node);
// A node that goes back: does it run `node.previous` (or no longer the app)?
Judgement judge_revert(const Reports& reports, const std::string& app, const RolloutNode& node);

}  // namespace dae::deployer
