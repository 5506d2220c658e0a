#pragma once
// The rollout engine: pure functions. plan_rollout() decides who gets what in which order; step() looks at what the nodes
// report and says what to do next. No I/O, no clock: the controller, the tests and the simulator run the same code.
#include <map>
#include <string>
#include <vector>

#include "deployer/model.h"

namespace dae::deployer {

struct RolloutInput {
  std::string id, app, who, kind = "deploy";
  Release release;
  std::vector<Node> nodes;                             // all known
  std::map<std::string, std::string> current;          // node -> release id desired now
  int64_t now_ms = 0;
  std::string only_stage;                              // "" all; else that stage alone
};
// Batches: "1", "25%", "100%": at least 1, percent of the stage's nodes rounded down, cumulative.
// Throws Error refused when a group has no live node (hint names it).
Rollout plan_rollout(const RolloutInput& input);

struct RolloutKnobs {
  int64_t batch_deadline_ms = 120'000;  // contracts: healthy deadline
  int64_t node_lost_ms = 15'000;        // no report for so long: counts as failed
};

struct SetDesired {
  std::string node, app, release;  // release "": the app leaves the node
};
struct StepResult {
  Rollout rollout;
  std::vector<SetDesired> actions;
  std::vector<std::string> events;  // for the audit log, one line each
};
// Failing anywhere in a stage or its bake: rolling_back of every node already touched in this rollout, straight, then
// rolled_back. Never rolls back to nothing silently: a node without a previous release has the app stopped.
StepResult step(const Rollout& rollout, const std::map<std::string, Observed>& observed,
                const std::map<std::string, Node>& nodes, const RolloutKnobs& knobs, int64_t now_ms);

}  // namespace dae::deployer
