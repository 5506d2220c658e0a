#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/strings.h"
#include "deployer/rollout.h"

namespace dae::deployer {
namespace {

size_t batch_size(const std::string& text, size_t count) {
  const bool percent = text.ends_with('%');
  const auto number = parse_int(percent ? std::string_view(text).substr(0, text.size() - 1) : std::string_view(text));
  if (!number || *number < 1 || *number > (percent ? 100 : 1'000'000)) {
    throw Error(ErrorKind::bad_input, fmt::format("`{}` is no batch size", text), "",
                "write a number of nodes (1) or a share of the stage (25%)");
  }
  const auto value = static_cast<size_t>(*number);
  return std::clamp<size_t>(percent ? count * value / 100 : value, 1, count);
}

std::vector<std::string> live_nodes(const RolloutInput& input, const std::string& group) {
  std::vector<std::string> names;
  for (const Node& node : input.nodes) {
    if (node.group == group && input.now_ms - node.last_seen_ms <= input.node_lost_ms) names.push_back(node.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<mirror::StageConfig> wanted_stages(const RolloutInput& input) {
  auto stages = input.release.config.stages;
  if (stages.empty()) stages = mirror::default_stages();
  if (input.only_stage.empty()) return stages;
  std::vector<std::string> names;
  for (const auto& stage : stages) {
    if (stage.name == input.only_stage) return {stage};
    names.push_back(stage.name);
  }
  throw Error(ErrorKind::not_found, fmt::format("`{}` has no stage `{}`", input.app, input.only_stage), input.app,
              "stages: " + join(names, ", "));
}

Error no_node(const RolloutInput& input, const mirror::StageConfig& stage) {
  return Error(ErrorKind::refused, fmt::format("group `{}` of stage `{}` has no live node", stage.group, stage.name),
               input.app, "see `dae node list`, or deploy to one stage alone with `--stage`");
}

std::string value_or_empty(const std::map<std::string, std::string>& map, const std::string& key) {
  auto found = map.find(key);
  return found == map.end() ? "" : found->second;
}

// Where a node goes back to: what it runs, or the group's last good release when what it runs never proved good.
std::string previous_of(const RolloutInput& input, const std::string& node, const std::string& group) {
  const std::string current = value_or_empty(input.current, node);
  const std::string good = value_or_empty(input.good, group);
  if (current.empty() || current == input.release.id || good.empty() || good == input.release.id) return current;
  return good;
}

void add_nodes(Rollout& rollout, const RolloutInput& input, const std::vector<std::vector<std::string>>& batches,
               int stage, const std::map<std::string, std::string>& groups) {
  for (size_t batch = 0; batch < batches.size(); ++batch) {
    for (const std::string& name : batches[batch]) {
      RolloutNode node;
      node.node = name;
      node.group = groups.at(name);
      node.stage = stage;
      node.batch = static_cast<int>(batch);
      node.previous = previous_of(input, name, node.group);
      rollout.nodes.push_back(std::move(node));
    }
  }
}

void plan_stages(Rollout& rollout, const RolloutInput& input) {
  for (const auto& config : wanted_stages(input)) {
    const auto names = live_nodes(input, config.group);
    if (names.empty()) throw no_node(input, config);
    Stage stage;
    stage.name = config.name;
    stage.group = config.group;
    stage.bake_ms = config.bake_ms;
    stage.max_fail = config.max_fail;
    stage.confirm_manually = config.confirm == "manual";
    size_t begin = 0;
    for (size_t end : batch_ends(config.batches, names.size())) {
      stage.batches.emplace_back(names.begin() + static_cast<std::ptrdiff_t>(begin),
                                 names.begin() + static_cast<std::ptrdiff_t>(end));
      begin = end;
    }
    const bool all_there = std::all_of(names.begin(), names.end(), [&](const std::string& name) {
      return value_or_empty(input.current, name) == input.release.id;
    });
    if (all_there && value_or_empty(input.good, config.group) == input.release.id) {
      stage.bake_ms = 0;
      stage.confirm_manually = false;
    }
    std::map<std::string, std::string> groups;
    for (const std::string& name : names) groups[name] = config.group;
    add_nodes(rollout, input, stage.batches, static_cast<int>(rollout.stages.size()), groups);
    rollout.stages.push_back(std::move(stage));
  }
}

void plan_straight(Rollout& rollout, const RolloutInput& input) {
  std::map<std::string, std::string> groups;
  std::set<std::string> used;
  const auto stages = wanted_stages(input);
  for (const auto& config : stages) {
    for (const std::string& name : live_nodes(input, config.group)) {
      groups[name] = config.group;
      used.insert(config.group);
    }
  }
  if (groups.empty()) throw no_node(input, stages.back());
  Stage stage;
  stage.name = "all";
  stage.group = join({used.begin(), used.end()}, ",");
  stage.bake_ms = 0;
  stage.batches.emplace_back();
  for (const auto& [name, group] : groups) stage.batches.back().push_back(name);
  add_nodes(rollout, input, stage.batches, 0, groups);
  rollout.stages.push_back(std::move(stage));
}

// Two stages on one group would give a node two turns, and "previous" two meanings.
void check_each_node_once(const Rollout& rollout) {
  std::set<std::string> seen;
  for (const RolloutNode& node : rollout.nodes) {
    if (!seen.insert(node.node).second) {
      throw Error(ErrorKind::bad_input, fmt::format("two stages of `{}` use group `{}`", rollout.app, node.group),
                  rollout.app, "give each stage a group of its own");
    }
  }
}

}  // namespace

std::vector<size_t> batch_ends(const std::vector<std::string>& batches, size_t count) {
  std::vector<size_t> ends;
  size_t reached = 0;
  for (const std::string& text : batches) {
    const size_t end = batch_size(text, count);
    if (end <= reached) continue;
    ends.push_back(end);
    reached = end;
  }
  if (reached < count) ends.push_back(count);
  return ends;
}

Rollout plan_rollout(const RolloutInput& input) {
  Rollout rollout;
  rollout.id = input.id;
  rollout.app = input.app;
  rollout.release = input.release.id;
  rollout.version = input.release.version;
  rollout.kind = input.kind;
  rollout.who = input.who;
  rollout.created_ms = rollout.updated_ms = input.now_ms;
  if (input.kind == "rollback") {
    plan_straight(rollout, input);
  } else {
    plan_stages(rollout, input);
  }
  check_each_node_once(rollout);
  const bool live = std::all_of(rollout.nodes.begin(), rollout.nodes.end(), [&](const RolloutNode& node) {
    return node.previous == rollout.release && value_or_empty(input.good, node.group) == rollout.release;
  });
  if (live && !input.supersedes) {
    rollout.state = RolloutState::done;
    rollout.reason = "already live";
    rollout.finished_ms = input.now_ms;
    for (RolloutNode& node : rollout.nodes) node.phase = NodePhase::ready;
  }
  return rollout;
}

}  // namespace dae::deployer
