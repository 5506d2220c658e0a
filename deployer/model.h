#pragma once
// What the control plane stores and what travels between it and the agents. Every struct has a JSON form
// (share/doc/formats/control-api.md); readers are strict about types and ignore unknown keys, so that an old agent
// understands a new control plane.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/value.h"
#include "mirror/artifact/artifact.h"

namespace dae::deployer {

struct Node {
  std::string name, group;
  std::string gateway_url;       // "http://127.0.0.1:8501": where its gateway answers
  std::string python, platform;  // what it runs: "3.11.7", "manylinux_2_36_x86_64"
  int64_t last_seen_ms = 0;      // wall; written at most every few seconds
};

// Artifact + configuration, bound into one digest: what is rolled out and what a rollback restores.
struct Release {
  std::string id;  // Digest hex over the canonical JSON of all that follows but created_ms
  std::string app, version;
  std::string artifact;    // "sha256:…"
  std::string repository;  // "apps/bubbler"
  mirror::AppConfig config;
  int64_t created_ms = 0;
};
std::string release_id(const Release& release);

enum class RolloutState { planned, running, paused, baking, done, rolling_back, rolled_back, failed, superseded };
std::string_view name_of(RolloutState state);
bool is_final(RolloutState state);

// Node of a rollout, in order.
enum class NodePhase { waiting, deploying, ready, failed, reverting, reverted };
std::string_view name_of(NodePhase phase);

struct RolloutNode {
  std::string node, group;
  int stage = 0, batch = 0;
  NodePhase phase = NodePhase::waiting;
  std::string previous;  // release id that was desired before us; "" none
  std::string error;     // "web.0 exited with 1 after 140 ms"
  std::string log_tail;
  int64_t started_ms = 0, ready_ms = 0;
  int64_t restarts = -1;  // of its instances when it became ready; more than that later is a failure. -1: not yet ready
  bool operator==(const RolloutNode&) const = default;
};

struct Stage {
  std::string name, group;
  std::vector<std::vector<std::string>> batches;  // node names
  int64_t bake_ms = 30'000;
  bool confirm_manually = false;  // the stage begins only after a person said so
  int64_t max_fail = 0;           // so many nodes may fail without taking the rollout back
  bool operator==(const Stage&) const = default;
};

struct Rollout {
  std::string id;  // "r-000012", per app
  std::string app;
  std::string release, version;  // target
  std::string kind = "deploy";   // deploy | rollback
  RolloutState state = RolloutState::planned;
  std::string reason;  // for paused, failed, rolled_back: what went wrong
  std::string who;
  std::vector<Stage> stages;
  std::vector<RolloutNode> nodes;
  int stage = 0, batch = 0;  // current
  int64_t created_ms = 0, updated_ms = 0, finished_ms = 0;
  int64_t bake_until_ms = 0;      // absolute wall time, survives a restart
  int64_t batch_deadline_ms = 0;  // absolute: every node of the batch must be ready by then
  bool operator==(const Rollout&) const = default;
};

// What a node shall run.
struct DesiredApp {
  Release release;
  std::string store;  // on the node's disk only: the state that desired it first
};
struct LogRequest {
  std::string id, app, instance;
  int64_t lines = 100;
};
struct Desired {
  int64_t revision = 0;  // of the store; grows with every change
  std::string store;     // which state this comes from: a lost and begun-anew one has another name
  std::map<std::string, DesiredApp> apps;
  std::vector<LogRequest> log_requests;
};

// What a node does run. `phase` of a release on a node:
//   fetching verifying linking starting probing ready live draining failed
struct ObservedInstance {
  std::string name;   // "web.0"
  std::string state;  // starting running exited
  int64_t pid = 0;
  int64_t restarts = 0;
};
struct ObservedRelease {
  std::string release, version, phase, error, log_tail;
  int64_t since_ms = 0;  // entered this phase
  int64_t fetched_bytes = 0, total_bytes = 0;
  int64_t fetch_ms = 0, start_ms = 0;
  int64_t probes_passed = 0, probes_failed = 0;  // consecutive passes; failures of the last five
  std::vector<ObservedInstance> instances;
};
struct ObservedApp {
  std::string live;                       // release id the gateway's link points to, or ""
  std::vector<ObservedRelease> releases;  // the desired one first
};
struct Observed {
  std::string node;
  int64_t desired_revision = 0;  // the newest one acted upon
  int64_t time_ms = 0;
  std::map<std::string, ObservedApp> apps;
};

Value to_value(const Node&);
Value to_value(const Release&);
Value to_value(const Rollout&);
Value to_value(const Desired&);
Value to_value(const Observed&);
Node node_from_value(const Document&);
Release release_from_value(const Document&);
Rollout rollout_from_value(const Document&);
Desired desired_from_value(const Document&);
Observed observed_from_value(const Document&);

}  // namespace dae::deployer
