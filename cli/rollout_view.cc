#include "cli/rollout_view.h"

#include <fmt/format.h>

#include <regex>

#include "base/error.h"
#include "base/strings.h"

namespace dae::cli {
namespace {

using deployer::NodePhase;
using deployer::Rollout;
using deployer::RolloutNode;
using deployer::RolloutState;

const char* mark(NodePhase phase) {
  switch (phase) {
    case NodePhase::ready:
      return "✓";
    case NodePhase::failed:
      return "✗";
    case NodePhase::reverted:
      return "↩";
    default:
      return "…";
  }
}

std::string node_line(const Rollout& rollout, const RolloutNode& node) {
  const std::string& stage = rollout.stages[static_cast<size_t>(node.stage)].name;
  std::string line = fmt::format("{:<6}{} {}", stage, mark(node.phase), node.node);
  switch (node.phase) {
    case NodePhase::waiting:
      break;
    case NodePhase::deploying:
      line += "   deploying";
      break;
    case NodePhase::ready:
      line += "   live after " + format_duration(node.ready_ms - node.started_ms);
      break;
    case NodePhase::failed:
      line += "   " + node.error;
      break;
    case NodePhase::reverting:
      line += "   taking it back";
      break;
    case NodePhase::reverted:
      line += node.previous.empty() ? "   removed again" : "   taken back";
      break;
  }
  return line;
}

std::string outcome_line(const Rollout& rollout) {
  std::string took = format_duration(std::max<int64_t>(0, rollout.finished_ms - rollout.created_ms));
  switch (rollout.state) {
    case RolloutState::done: {
      std::string line =
          fmt::format("{} {} is live on {} nodes   {}", rollout.app, rollout.version, rollout.nodes.size(), took);
      return rollout.reason.empty() ? line : line + "   (" + rollout.reason + ")";
    }
    case RolloutState::rolled_back:
      return fmt::format("taken back: {}   {}", rollout.reason, took);
    case RolloutState::failed:
      return fmt::format("failed: {}", rollout.reason);
    case RolloutState::superseded:
      return fmt::format("superseded: {}", rollout.reason);
    default:
      return std::string(deployer::name_of(rollout.state)) + (rollout.reason.empty() ? "" : ": " + rollout.reason);
  }
}

// Of a log's tail what says why: the last Python exception with the place before it, else the last lines.
std::vector<std::string> telling_lines(const std::string& log_tail) {
  std::vector<std::string> lines;
  for (const std::string& line : split_lines(log_tail))
    if (!trim(line).empty()) lines.push_back(line);
  static const std::regex kException("^[A-Za-z_][A-Za-z0-9_.]*(Error|Exception|Exit|Interrupt|Warning)\\b.*");
  for (size_t i = lines.size(); i-- > 0;) {
    if (!std::regex_match(lines[i], kException)) continue;
    size_t first = i;
    while (first > 0 && i - first < 4 && lines[first].find("File \"") == std::string::npos) --first;
    return {lines.begin() + static_cast<std::ptrdiff_t>(first), lines.begin() + static_cast<std::ptrdiff_t>(i) + 1};
  }
  size_t first = lines.size() > 6 ? lines.size() - 6 : 0;
  return {lines.begin() + static_cast<std::ptrdiff_t>(first), lines.end()};
}

// What was printed last for each node, so that a line appears once per change.
class Progress {
 public:
  explicit Progress(Context& context) : context_(context) {}

  void show(const Rollout& rollout) {
    seen_.resize(rollout.nodes.size(), NodePhase::waiting);
    failure_shown_.resize(rollout.nodes.size(), false);
    for (size_t i = 0; i < rollout.nodes.size(); ++i) {
      const RolloutNode& node = rollout.nodes[i];
      // Taking back starts in the same step as the failure is seen: the failure is told first all the same.
      if (!node.error.empty() && !failure_shown_[i]) show_failure(rollout, node);
      failure_shown_[i] = failure_shown_[i] || !node.error.empty();
      if (node.phase == seen_[i]) continue;
      seen_[i] = node.phase;
      if (node.phase != NodePhase::failed) context_.say(node_line(rollout, node));
    }
    if (rollout.state == state_ && rollout.stage == stage_) return;
    state_ = rollout.state;
    stage_ = rollout.stage;
    if (rollout.state == RolloutState::baking && rollout.bake_until_ms > 0)
      context_.say(fmt::format("{:<6}  baking for {}", rollout.stages[static_cast<size_t>(rollout.stage)].name,
                               format_duration(rollout.stages[static_cast<size_t>(rollout.stage)].bake_ms)));
    if (rollout.state == RolloutState::rolling_back) context_.say("taking back: " + rollout.reason);
    if (rollout.state == RolloutState::paused)
      context_.say("paused: " + rollout.reason + "; go on with: dae resume " + rollout.app +
                   ", take it back with: dae abort " + rollout.app);
  }

 private:
  void show_failure(const Rollout& rollout, RolloutNode node) {
    node.phase = NodePhase::failed;
    context_.say(node_line(rollout, node));
    for (const std::string& line : telling_lines(node.log_tail)) context_.say("        " + line);
    context_.say("        more: dae logs " + rollout.app + " --node " + node.node);
  }

  Context& context_;
  std::vector<NodePhase> seen_;
  std::vector<bool> failure_shown_;
  RolloutState state_ = RolloutState::planned;
  int stage_ = -1;
};

int outcome_code(const Rollout& rollout) {
  switch (rollout.state) {
    case RolloutState::done:
      return 0;
    case RolloutState::rolled_back:
      return exit_code(ErrorKind::rolled_back);
    case RolloutState::failed:
      return exit_code(ErrorKind::failed);
    case RolloutState::superseded:
      return exit_code(ErrorKind::partial);
    default:
      return exit_code(ErrorKind::inconclusive);
  }
}

}  // namespace

std::string render_plan(const Rollout& rollout) {
  std::string out;
  for (const deployer::Stage& stage : rollout.stages) {
    std::vector<std::string> batches;
    size_t count = 0;
    for (const auto& batch : stage.batches) {
      batches.push_back(join(batch, " "));
      count += batch.size();
    }
    out += fmt::format("  {:<6} {} node{}   {}   bake {}{}\n", stage.name, count, count == 1 ? " " : "s",
                       join(batches, " | "), format_duration(stage.bake_ms),
                       stage.confirm_manually ? ", then waits for a person" : "");
  }
  return out;
}

int follow_rollout(Context& context, deployer::ControlClient& control, Rollout rollout) {
  StopSignal::install();
  Progress progress(context);
  progress.show(rollout);
  int unreachable = 0;
  while (!deployer::is_final(rollout.state)) {
    if (StopSignal::requested()) {
      context.say("it goes on without us; come back with: dae status " + rollout.app + " --watch");
      return exit_code(ErrorKind::inconclusive);
    }
    try {
      rollout = control.rollout(rollout.app, rollout.id, rollout.updated_ms, 1000);
      unreachable = 0;
    } catch (const Error& error) {
      // The control plane may be restarted in the middle: the rollout is in its store.
      if (error.kind() != ErrorKind::network || ++unreachable > 60) throw;
      if (unreachable == 1) context.say("the control plane does not answer; trying again");
      context.clock.sleep_ms(500);
      continue;
    }
    progress.show(rollout);
  }
  context.say(outcome_line(rollout));
  return outcome_code(rollout);
}

}  // namespace dae::cli
