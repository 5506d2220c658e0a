#pragma once
// The rollout engine: pure functions. plan_rollout() decides who gets what in which order; step() looks at what the
// nodes report and says what to do next. No I/O, no clock: the controller, the tests and the simulator run the same
// code.
#include <map>
#include <string>
#include <vector>

#include "deployer/model.h"

namespace dae::deployer {

struct RolloutInput {
  std::string id, app, who, kind = "deploy";
  Release release;
  std::vector<Node> nodes;                     // all known
  std::map<std::string, std::string> current;  // node -> release id desired now
  int64_t now_ms = 0;
  std::string only_stage;                   // "" all; else that stage alone
  std::map<std::string, std::string> good;  // group -> last release that finished a rollout there
  int64_t node_lost_ms = 15'000;            // a node silent for longer is no target
  bool supersedes = false;                  // takes over from a rollout that is still under way
};
// Batches: "1", "25%", "100%": at least 1, percent of the stage's nodes rounded down, cumulative; what the list leaves
// over becomes a last batch. A stage whose nodes all run the release already and finished a rollout of it does not bake
// again. Kind "rollback": all groups at once in one batch, no bake, groups without a live node are left out.
// When every node desires the release already and it finished a rollout there, the plan is `done` at once.
// Throws Error refused when a group has no live node (hint names it), bad_input for a batch that is no number.
Rollout plan_rollout(const RolloutInput& input);
// The first so many of `count` nodes that each batch reaches, growing: {"1","25%","100%"} of 10 -> 1, 2, 10.
std::vector<size_t> batch_ends(const std::vector<std::string>& batches, size_t count);

struct RolloutKnobs {
  int64_t batch_deadline_ms = 120'000;  // contracts: healthy deadline
  int64_t node_lost_ms = 15'000;        // no report for so long: counts as failed
  int64_t grace_until_ms = 0;  // no deadline is judged before: the nodes must report to a restarted control first
};

struct SetDesired {
  std::string node, app, release;  // release "": the app leaves the node
};
struct StepResult {
  Rollout rollout;
  std::vector<SetDesired> actions;
  std::vector<std::string> events;  // for the audit log, one line each
};
// `observed` holds only reports that already know the node's desired state (Observed::desired_revision), else an old
// report could pass for an answer to a new order.
// Failing anywhere in a stage or its bake: rolling_back of every node already touched in this rollout, straight, then
// rolled_back. Never rolls back to nothing silently: a node without a previous release has the app stopped.
// A failing rollback (kind) is not taken back: it ends as failed, and the nodes keep trying what was asked for.
StepResult step(const Rollout& rollout, const std::map<std::string, Observed>& observed,
                const std::map<std::string, Node>& nodes, const RolloutKnobs& knobs, int64_t now_ms);

// A person's word. Both refuse a rollout that is over; resume refuses one that does not wait.
StepResult abort_rollout(const Rollout& rollout, const std::string& who, const RolloutKnobs& knobs, int64_t now_ms);
StepResult resume_rollout(const Rollout& rollout, const std::string& who, const RolloutKnobs& knobs, int64_t now_ms);

// When step() has something to say even if nothing is reported; at most `now_ms` + 1 s.
int64_t next_deadline_ms(const Rollout& rollout, const std::map<std::string, Node>& nodes, const RolloutKnobs& knobs,
                         int64_t now_ms);

}  // namespace dae::deployer
