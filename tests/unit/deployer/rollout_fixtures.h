#pragma once
// Small makers of nodes, releases and reports for the tests of the rollout engine.
#include <map>
#include <string>
#include <vector>

#include "deployer/rollout.h"

namespace dae::deployer::testing_support {

inline constexpr int64_t kNow = 1'700'000'000'000;

inline mirror::StageConfig stage_config(const std::string& name, std::vector<std::string> batches,
                                        int64_t bake_ms = 30'000) {
  mirror::StageConfig stage;
  stage.name = stage.group = name;
  stage.batches = std::move(batches);
  stage.bake_ms = bake_ms;
  return stage;
}

inline Release make_release(const std::string& version,
                            std::vector<mirror::StageConfig> stages = {stage_config("pre", {"1", "100%"}),
                                                                       stage_config("prod", {"1", "25%", "100%"})}) {
  Release release;
  release.app = "bubbler";
  release.version = version;
  release.id = Digest::of(version).hex();
  release.artifact = Digest::of("artifact " + version).oci();
  release.repository = "apps/bubbler";
  release.config.name = "bubbler";
  release.config.version = version;
  release.config.stages = std::move(stages);
  return release;
}

inline std::vector<Node> make_nodes(const std::string& group, int count, int64_t last_seen_ms = kNow) {
  std::vector<Node> nodes;
  for (int i = 1; i <= count; ++i) {
    Node node;
    node.name = group + "-" + (i < 10 ? "0" : "") + std::to_string(i);
    node.group = group;
    node.last_seen_ms = last_seen_ms;
    nodes.push_back(node);
  }
  return nodes;
}

// The engine with the world around it: what is desired, reported and seen.
class Bench {
 public:
  explicit Bench(Rollout rollout) : rollout_(std::move(rollout)) {
    for (const RolloutNode& item : rollout_.nodes) {
      Node node;
      node.name = item.node;
      node.group = item.group;
      node.last_seen_ms = now_;
      nodes_[item.node] = node;
      desired_[item.node] = item.previous;
    }
  }

  // One step; nodes stay alive unless lost() was called.
  const StepResult& step() {
    for (auto& [name, node] : nodes_) {
      if (!lost_.contains(name)) node.last_seen_ms = now_;
    }
    take(deployer::step(rollout_, observed_, nodes_, knobs_, now_));
    return last_;
  }
  void take(StepResult result) {
    last_ = std::move(result);
    rollout_ = last_.rollout;
    for (const SetDesired& action : last_.actions) desired_[action.node] = action.release;
  }
  void pass_ms(int64_t duration_ms) { now_ += duration_ms; }
  void lose(const std::string& node) { lost_[node] = true; }

  ObservedRelease& say(const std::string& node, const std::string& release, const std::string& phase,
                       const std::string& live) {
    Observed& observed = observed_[node];
    observed.node = node;
    ObservedApp& app = observed.apps["bubbler"];
    app.live = live;
    app.releases.assign(1, {});
    app.releases[0].release = release;
    app.releases[0].phase = phase;
    return app.releases[0];
  }
  // The node has done what it was told.
  ObservedRelease& comply(const std::string& node) { return say(node, desired_[node], "live", desired_[node]); }
  void comply_all() {
    for (const auto& [name, node] : nodes_) {
      if (!lost_.contains(name)) comply(name);
    }
  }
  void forget(const std::string& node) { observed_.erase(node); }
  // Steps with obedient nodes until nothing changes any more at this moment.
  void settle() {
    for (int i = 0; i < 50; ++i) {
      comply_all();
      const Rollout before = rollout_;
      step();
      if (rollout_ == before) return;
    }
  }

  const RolloutNode& node(const std::string& name) const {
    for (const RolloutNode& item : rollout_.nodes) {
      if (item.node == name) return item;
    }
    throw Error(ErrorKind::not_found, "no such node", name);
  }
  int wanting(const std::string& release) const {
    int count = 0;
    for (const auto& [name, wanted] : desired_) count += wanted == release ? 1 : 0;
    return count;
  }

  Rollout rollout_;
  StepResult last_;
  std::map<std::string, Observed> observed_;
  std::map<std::string, Node> nodes_;
  std::map<std::string, std::string> desired_;
  std::map<std::string, bool> lost_;
  RolloutKnobs knobs_;
  int64_t now_ = kNow;
};

inline RolloutInput make_input(const Release& release, std::vector<Node> nodes, const std::string& current = "") {
  RolloutInput input;
  input.id = "r-000001";
  input.app = "bubbler";
  input.who = "ada";
  input.release = release;
  input.now_ms = kNow;
  if (!current.empty()) {
    for (const Node& node : nodes) input.current[node.name] = current;
  }
  input.nodes = std::move(nodes);
  return input;
}

}  // namespace dae::deployer::testing_support
