#include <algorithm>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/strings.h"
#include "deployer/rollout_judge.h"

namespace dae::deployer {
namespace {

using Kind = Judgement::Kind;

class Stepper {
 public:
  Stepper(const Rollout& rollout, const Reports& reports) : r_(rollout), reports_(reports), now_(reports.now_ms) {}

  StepResult run() {
    switch (r_.state) {
      case RolloutState::planned:
        begin_stage(0);
        break;
      case RolloutState::running:
        watch_batch();
        break;
      case RolloutState::baking:
        watch_bake();
        break;
      case RolloutState::rolling_back:
        watch_return();
        break;
      default:
        break;
    }
    return take();
  }

  StepResult abort(const std::string& who) {
    event(fmt::format("aborted by {}", who));
    take_back("aborted by " + who);
    return take();
  }

  StepResult resume(const std::string& who) {
    event(fmt::format("stage `{}` confirmed by {}", stage().name, who));
    stage().confirm_manually = false;
    r_.reason.clear();
    begin_batch(0);
    return take();
  }

 private:
  Stage& stage() { return r_.stages[static_cast<size_t>(r_.stage)]; }
  int batches() { return static_cast<int>(stage().batches.size()); }
  bool is_rollback() const { return r_.kind == "rollback"; }
  bool in_stage(const RolloutNode& node) const { return node.stage == r_.stage; }
  // A node that desired the release before us is watched, but nothing was done to it and nothing is taken back.
  bool ours(const RolloutNode& node) const { return node.previous != r_.release; }
  bool over(int64_t deadline_ms) const { return now_ >= std::max(deadline_ms, reports_.knobs.grace_until_ms); }
  void desire(const RolloutNode& node, const std::string& release) { actions_.push_back({node.node, r_.app, release}); }
  void event(std::string text) { events_.push_back(std::move(text)); }
  void changed() { r_.updated_ms = std::max(now_, r_.updated_ms + 1); }

  StepResult take() {
    if (!events_.empty() || !actions_.empty()) touched_ = true;
    if (touched_) changed();
    return {std::move(r_), std::move(actions_), std::move(events_)};
  }

  void finish(RolloutState state, std::string text) {
    r_.state = state;
    r_.finished_ms = now_;
    event(std::move(text));
  }

  void begin_stage(int index) {
    r_.stage = index;
    r_.batch = 0;
    if (stage().confirm_manually) {
      r_.state = RolloutState::paused;
      r_.reason = fmt::format("stage `{}` waits for a person", stage().name);
      event(r_.reason);
      return;
    }
    begin_batch(0);
  }

  void begin_batch(int index) {
    r_.state = RolloutState::running;
    r_.batch = index;
    r_.batch_deadline_ms = now_ + reports_.knobs.batch_deadline_ms;
    for (RolloutNode& node : r_.nodes) {
      if (!in_stage(node) || node.batch != index) continue;
      node.phase = NodePhase::deploying;
      node.started_ms = now_;
      if (ours(node)) desire(node, r_.release);
    }
    event(fmt::format("stage `{}` batch {} of {}: {}", stage().name, index + 1, batches(),
                      join(stage().batches[static_cast<size_t>(index)], ", ")));
  }

  void fail_node(RolloutNode& node, const Judgement& why) {
    node.phase = NodePhase::failed;
    node.error = why.error;
    node.log_tail = why.log_tail;
    event(fmt::format("node `{}` failed: {}", node.node, why.error));
    failing_ = &node;
  }

  // Judges every node of the stage that had its turn. False: the rollout is being taken back.
  bool judge_stage() {
    for (RolloutNode& node : r_.nodes) {
      const bool watched = node.phase == NodePhase::deploying || node.phase == NodePhase::ready;
      if (in_stage(node) && watched) judge_node(node);
    }
    return tolerable();
  }

  void judge_node(RolloutNode& node) {
    const Judgement judged = judge_deploy(reports_, r_.app, r_.release, node);
    if (judged.kind == Kind::failed || judged.kind == Kind::lost) return fail_node(node, judged);
    if (judged.kind != Kind::ready) {
      if (node.phase == NodePhase::ready) unsure_ = &node;
      if (node.phase == NodePhase::deploying && over(r_.batch_deadline_ms)) late(node, judged);
      return;
    }
    if (node.phase == NodePhase::deploying) {
      node.phase = NodePhase::ready;
      node.ready_ms = now_;
      event(fmt::format("node `{}` is ready", node.node));
    }
    // A restarted agent counts restarts from zero again.
    if (node.restarts < 0 || judged.restarts < node.restarts) {
      node.restarts = judged.restarts;
      touched_ = true;
    }
  }

  void late(RolloutNode& node, const Judgement& judged) {
    const std::string limit = format_duration(reports_.knobs.batch_deadline_ms);
    std::string error = judged.phase.empty() ? fmt::format("not live within {}", limit)
                                             : fmt::format("not live within {}, still `{}`", limit, judged.phase);
    fail_node(node, {Kind::failed, judged.phase, std::move(error), "", 0});
  }

  bool tolerable() {
    if (failing_ == nullptr || is_rollback()) return true;
    const auto failures = std::count_if(r_.nodes.begin(), r_.nodes.end(), [&](const RolloutNode& node) {
      return in_stage(node) && node.phase == NodePhase::failed;
    });
    if (failures > stage().max_fail) {
      take_back(fmt::format("{}: {}", failing_->node, failing_->error));
      return false;
    }
    for (RolloutNode& node : r_.nodes) {
      // Tolerated, but not left with what failed. Repeated for earlier ones: an order already given changes nothing.
      if (in_stage(node) && node.phase == NodePhase::failed && ours(node)) desire(node, node.previous);
    }
    return true;
  }

  void watch_batch() {
    if (!judge_stage()) return;
    for (const RolloutNode& node : r_.nodes) {
      if (in_stage(node) && node.phase == NodePhase::deploying) return;
    }
    if (r_.batch + 1 < batches()) return begin_batch(r_.batch + 1);
    if (stage().bake_ms == 0) return end_stage();
    r_.state = RolloutState::baking;
    r_.bake_until_ms = now_ + stage().bake_ms;
    event(fmt::format("stage `{}` is live; watching it for {}", stage().name, format_duration(stage().bake_ms)));
  }

  void watch_bake() {
    if (!judge_stage() || now_ < r_.bake_until_ms) return;
    // Silence is not health: the end of the bake waits for a fresh word of every node.
    if (unsure_ == nullptr) return end_stage();
    if (!over(r_.bake_until_ms + reports_.knobs.batch_deadline_ms)) return;
    fail_node(*unsure_, {Kind::failed, "", "says nothing about the release any more", "", 0});
    if (tolerable()) end_stage();
  }

  void end_stage() {
    const auto failed = std::find_if(r_.nodes.begin(), r_.nodes.end(),
                                     [](const RolloutNode& node) { return node.phase == NodePhase::failed; });
    if (is_rollback() && failed != r_.nodes.end()) {
      r_.reason = fmt::format("{}: {}", failed->node, failed->error);
      return finish(RolloutState::failed, "rollback failed: " + r_.reason);
    }
    event(fmt::format("stage `{}` passed", stage().name));
    if (static_cast<size_t>(r_.stage) + 1 < r_.stages.size()) return begin_stage(r_.stage + 1);
    finish(RolloutState::done, fmt::format("version {} is live", r_.version));
  }

  void take_back(std::string reason) {
    r_.state = RolloutState::rolling_back;
    r_.reason = std::move(reason);
    r_.batch_deadline_ms = now_ + reports_.knobs.batch_deadline_ms;
    actions_.clear();
    for (RolloutNode& node : r_.nodes) {
      if (node.phase == NodePhase::waiting || !ours(node)) continue;
      node.phase = NodePhase::reverting;
      desire(node, node.previous);
    }
    event("taking back: " + r_.reason);
    if (actions_.empty()) finish(RolloutState::rolled_back, "taken back: no node was touched");
  }

  void watch_return() {
    bool waiting = false;
    for (RolloutNode& node : r_.nodes) {
      if (node.phase == NodePhase::reverting) watch_return_of(node);
      waiting = waiting || node.phase == NodePhase::reverting;
    }
    if (waiting) return;
    std::vector<std::string> stuck;
    for (const RolloutNode& node : r_.nodes) {
      if (node.phase == NodePhase::failed && ours(node)) stuck.push_back(node.node);
    }
    if (stuck.empty()) return finish(RolloutState::rolled_back, "taken back: " + r_.reason);
    r_.reason += "; taking it back failed on " + join(stuck, ", ");
    finish(RolloutState::failed, "failed: " + r_.reason);
  }

  void watch_return_of(RolloutNode& node) {
    const Judgement judged = judge_revert(reports_, r_.app, node);
    if (judged.kind == Kind::ready || judged.kind == Kind::lost) {
      // A lost node finds the order when it comes back; nothing more can be done about it from here.
      node.phase = NodePhase::reverted;
      const bool lost = judged.kind == Kind::lost;
      if (lost && node.error.empty()) node.error = judged.error;
      event(lost ? fmt::format("node `{}` cannot be reached; it goes back when it returns", node.node)
                 : fmt::format("node `{}` is back", node.node));
      return;
    }
    if (judged.kind != Kind::failed && !over(r_.batch_deadline_ms)) return;
    const std::string why = judged.kind == Kind::failed
                                ? judged.error
                                : "not back within " + format_duration(reports_.knobs.batch_deadline_ms);
    node.phase = NodePhase::failed;
    node.error += (node.error.empty() ? "taking back failed: " : "; taking back failed: ") + why;
    event(fmt::format("node `{}` did not go back: {}", node.node, why));
  }

  Rollout r_;
  const Reports& reports_;
  const int64_t now_;
  std::vector<SetDesired> actions_;
  std::vector<std::string> events_;
  RolloutNode* failing_ = nullptr;  // failed in this step
  RolloutNode* unsure_ = nullptr;   // was ready, and its latest report does not tell
  bool touched_ = false;
};

void check_not_over(const Rollout& rollout) {
  if (!is_final(rollout.state)) return;
  throw Error(ErrorKind::refused, fmt::format("rollout `{}` is {} already", rollout.id, name_of(rollout.state)),
              rollout.app, "`dae rollback` goes back to the version before");
}

}  // namespace

StepResult step(const Rollout& rollout, const std::map<std::string, Observed>& observed,
                const std::map<std::string, Node>& nodes, const RolloutKnobs& knobs, int64_t now_ms) {
  return Stepper(rollout, {observed, nodes, knobs, now_ms}).run();
}

StepResult abort_rollout(const Rollout& rollout, const std::string& who, const RolloutKnobs& knobs, int64_t now_ms) {
  check_not_over(rollout);
  if (rollout.state == RolloutState::rolling_back) return {rollout, {}, {}};
  return Stepper(rollout, {{}, {}, knobs, now_ms}).abort(who);
}

StepResult resume_rollout(const Rollout& rollout, const std::string& who, const RolloutKnobs& knobs, int64_t now_ms) {
  check_not_over(rollout);
  if (rollout.state != RolloutState::paused) {
    throw Error(ErrorKind::refused, fmt::format("rollout `{}` does not wait for a person", rollout.id), rollout.app);
  }
  return Stepper(rollout, {{}, {}, knobs, now_ms}).resume(who);
}

int64_t next_deadline_ms(const Rollout& rollout, const std::map<std::string, Node>& nodes, const RolloutKnobs& knobs,
                         int64_t now_ms) {
  int64_t next = now_ms + 1000;
  auto consider = [&](int64_t moment) { next = std::min(next, std::max(moment, now_ms)); };
  if (rollout.state == RolloutState::planned) consider(now_ms);
  if (rollout.state == RolloutState::running || rollout.state == RolloutState::rolling_back) {
    consider(std::max(rollout.batch_deadline_ms, knobs.grace_until_ms));
  }
  if (rollout.state == RolloutState::baking && rollout.bake_until_ms > now_ms) consider(rollout.bake_until_ms);
  for (const RolloutNode& item : rollout.nodes) {
    auto node = nodes.find(item.node);
    if (item.phase == NodePhase::waiting || node == nodes.end()) continue;
    const int64_t lost_ms = node->second.last_seen_ms + knobs.node_lost_ms + 1;
    if (lost_ms > now_ms) consider(lost_ms);
  }
  return next;
}

}  // namespace dae::deployer
