// The part of ControlCore that knows nodes: who is there, what they shall run, what they say.
#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "base/strings.h"
#include "deployer/audit_log.h"
#include "deployer/control_core.h"

namespace dae::deployer {
namespace {

constexpr int64_t kFlushMs = 5'000;
// Reports overtaken on the way are older by little; a difference larger than this is a clock that was set back.
constexpr int64_t kReorderedMs = 30'000;

bool is_name(const std::string& name, std::string_view more) {
  const bool sane = std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || more.find(c) != std::string_view::npos;
  });
  return sane && !name.empty() && name.size() <= 63;
}

bool same_node(const Node& a, const Node& b) {
  return a.group == b.group && a.gateway_url == b.gateway_url && a.python == b.python && a.platform == b.platform;
}

}  // namespace

void check_app_name(const std::string& name) {
  if (is_name(name, "-") && name.front() >= 'a') return;
  throw Error(ErrorKind::bad_input, fmt::format("`{}` is no name for an app", name.substr(0, 80)), "",
              "use lower-case letters, digits and `-`, and begin with a letter");
}

void check_node_name(const std::string& name, const char* what) {
  if (is_name(name, "-._") && name.front() != '.' && name.front() != '-') return;
  throw Error(ErrorKind::bad_input, fmt::format("`{}` is no name for a {}", name.substr(0, 80), what), "",
              "use lower-case letters, digits, `-`, `.` and `_`");
}

void ControlCore::load_nodes() {
  const int64_t now = clock_.wall_ms();
  int64_t newest = 0;
  for (const StoredValue& entry : store_.list("nodes/")) {
    Node node = node_from_value(parse_json(entry.value, entry.key));
    newest = std::max(newest, node.last_seen_ms);
    auto desired = store_.get(desired_key(node.name));
    nodes_[node.name] = {node, node.last_seen_ms, desired ? desired->mod_revision : 0};
  }
  for (auto& [name, known] : nodes_) {
    // Nobody could report while we were away: who was there at the end gets the time to report again.
    if (newest - known.node.last_seen_ms <= knobs_.node_lost_ms) known.node.last_seen_ms = now;
  }
  flushed_ms_ = now;
}

ControlCore::KnownNode& ControlCore::known(const std::string& node) {
  auto found = nodes_.find(node);
  if (found != nodes_.end()) return found->second;
  throw Error(ErrorKind::not_found, fmt::format("node `{}` is not registered", node.substr(0, 80)), "",
              "`dae agent` registers it when it starts");
}

bool ControlCore::silent(const KnownNode& node, int64_t now_ms) const {
  return now_ms - node.node.last_seen_ms > knobs_.node_lost_ms;
}

bool ControlCore::is_lost(const std::string& node) {
  std::lock_guard lock(mutex_);
  return silent(known(node), clock_.wall_ms());
}

bool ControlCore::runs(const std::string& node, const std::string& app) {
  std::lock_guard lock(mutex_);
  auto report = observed_.find(node);
  if (report != observed_.end() && report->second.apps.contains(app)) return true;
  ControlTxn txn(store_);
  const Value desired = txn.get(desired_key(node));
  const Value* apps = desired.find("apps");
  return apps != nullptr && apps->find(app) != nullptr;
}

void ControlCore::register_node(const Node& node) {
  check_node_name(node.name, "node");
  check_node_name(node.group, "group");
  std::lock_guard lock(mutex_);
  const int64_t now = clock_.wall_ms();
  auto found = nodes_.find(node.name);
  if (found != nodes_.end() && same_node(found->second.node, node)) return note_seen(found->second);
  Node stored = node;
  stored.last_seen_ms = now;
  ControlTxn txn(store_);
  txn.put(node_key(node.name), to_value(stored));
  if (txn.get(desired_key(node.name)).is_null()) {
    txn.put(desired_key(node.name), Value::object({{"apps", Value::object()}}));
  }
  if (found == nodes_.end() || found->second.node.group != node.group) {
    append_event(txn, {0, now, "", "", "", fmt::format("node `{}` joined group `{}`", node.name, node.group), ""});
    adopt(txn, node.name, node.group);
  }
  commit(txn);
  nodes_[node.name] = {stored, now, store_.get(desired_key(node.name))->mod_revision};
}

// A node that joins a group, or comes back to it, gets what the group runs. A rollout under way that counts the node in
// decides for itself.
void ControlCore::adopt(ControlTxn& txn, const std::string& node, const std::string& group) {
  const std::string prefix = good_key(group, "");
  for (const StoredValue& entry : store_.list(prefix)) {
    const std::string app = entry.key.substr(prefix.size());
    auto active = active_.find(app);
    if (active != active_.end()) {
      const auto& members = active->second.nodes;
      const bool member = std::any_of(members.begin(), members.end(), [&](const auto& m) { return m.node == node; });
      if (member) continue;
    }
    const std::string release = parse_json(entry.value, entry.key).root.get_string("release");
    if (!set_desired(txn, {node, app, release})) continue;
    append_event(
        txn, {0, clock_.wall_ms(), app, "", "",
              fmt::format("node `{}` gets release `{}` of its group `{}`", node, release.substr(0, 12), group), ""});
  }
}

// False when the node desires just that already.
bool ControlCore::set_desired(ControlTxn& txn, const SetDesired& action) {
  Value desired = txn.get(desired_key(action.node));
  Value apps = Value::object();
  if (const Value* found = desired.find("apps")) apps = *found;
  if (apps.get_string(action.app) == action.release) return false;
  if (action.release.empty()) {
    apps.erase(action.app);
  } else {
    apps.set(action.app, action.release);
  }
  txn.put(desired_key(action.node), Value::object({{"apps", apps}}));
  return true;
}

void ControlCore::commit(ControlTxn& txn) {
  if (txn.empty()) return;
  const int64_t revision = txn.commit();
  const std::string prefix = desired_key("");
  for (const auto& [key, value] : txn.writes()) {
    if (!key.starts_with(prefix)) continue;
    auto found = nodes_.find(key.substr(prefix.size()));
    if (found != nodes_.end()) found->second.desired_revision = revision;
  }
}

void ControlCore::note_seen(KnownNode& node) {
  const int64_t now = clock_.wall_ms();
  const bool back = silent(node, now);
  node.node.last_seen_ms = now;
  if (!back) return;
  ControlTxn txn(store_);
  append_event(txn, {0, now, "", "", "", fmt::format("node `{}` is back", node.node.name), ""});
  adopt(txn, node.node.name, node.node.group);
  commit(txn);
}

void ControlCore::seen(const std::string& node) {
  std::lock_guard lock(mutex_);
  note_seen(known(node));
}

void ControlCore::report(const Observed& observed) {
  std::lock_guard lock(mutex_);
  note_seen(known(observed.node));
  auto [held, fresh] = observed_.try_emplace(observed.node, observed);
  if (fresh) return;
  const int64_t late_ms = held->second.time_ms - observed.time_ms;
  const bool overtaken =
      observed.desired_revision <= held->second.desired_revision && late_ms > 0 && late_ms < kReorderedMs;
  if (!overtaken) held->second = observed;
}

std::vector<Node> ControlCore::nodes() {
  std::lock_guard lock(mutex_);
  std::vector<Node> out;
  for (const auto& [name, known] : nodes_) out.push_back(known.node);
  return out;
}

std::map<std::string, Observed> ControlCore::observed() {
  std::lock_guard lock(mutex_);
  return observed_;
}

// A deployment of a thousand nodes reports a thousand times a second: only the time of the last report is kept on
// disk, and all of them in one transaction every few seconds.
void ControlCore::flush_seen(int64_t now_ms) {
  const int64_t every_ms = std::min(kFlushMs, std::max<int64_t>(1, knobs_.node_lost_ms / 3));
  if (now_ms - flushed_ms_ < every_ms && now_ms >= flushed_ms_) return;
  flushed_ms_ = now_ms;
  ControlTxn txn(store_);
  for (auto& [name, known] : nodes_) {
    if (known.node.last_seen_ms != known.written_seen_ms) txn.put(node_key(name), to_value(known.node));
  }
  if (txn.empty()) return;
  txn.commit();
  for (auto& [name, known] : nodes_) known.written_seen_ms = known.node.last_seen_ms;
}

int64_t ControlCore::desired_revision(const std::string& node) {
  std::lock_guard lock(mutex_);
  auto requests = store_.get(log_requests_key(node));
  return std::max(known(node).desired_revision, requests ? requests->mod_revision : 0);
}

Desired ControlCore::desired(const std::string& node) {
  std::lock_guard lock(mutex_);
  known(node);
  Desired desired;
  desired.store = store_id_;
  auto stored = store_.get(desired_key(node));
  if (stored) {
    desired.revision = stored->mod_revision;
    const Value root = parse_json(stored->value, stored->key).root;
    for (const auto& [app, id] : root.at("apps").as_object()) {
      const std::string key = release_key(app, id.as_string());
      auto release = store_.get(key);
      if (!release) throw Error(ErrorKind::failed, fmt::format("the state has lost release `{}`", id.as_string()), app);
      desired.apps[app].release = release_from_value(parse_json(release->value, key));
    }
  }
  if (auto requests = store_.get(log_requests_key(node))) {
    desired.revision = std::max(desired.revision, requests->mod_revision);
    Value document = Value::object({{"log_requests", parse_json(requests->value, requests->key).root}});
    desired.log_requests = desired_from_value({requests->key, document}).log_requests;
  }
  return desired;
}

}  // namespace dae::deployer
