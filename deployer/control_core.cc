// The part of ControlCore that steps rollouts.
#include "deployer/control_core.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/log.h"
#include "deployer/audit_log.h"

namespace dae::deployer {
namespace {

// step() moves on by one decision; a few follow on each other without waiting (planned -> running -> next batch).
constexpr int kStepsAtOnce = 16;

}  // namespace

ControlCore::ControlCore(StateStore& store, Clock& clock, const RolloutKnobs& knobs)
    : store_(store), clock_(clock), knobs_(knobs) {
  knobs_.grace_until_ms = clock_.wall_ms() + knobs_.node_lost_ms;
  ControlTxn txn(store_);
  store_id_ = txn.get(kStoreIdKey).get_string("id");
  load_nodes();
  load_active();
}

void ControlCore::load_active() {
  for (const StoredValue& entry : store_.list("heads/")) {
    const std::string app = entry.key.substr(head_key("").size());
    const std::string id = parse_json(entry.value, entry.key).root.get_string("active");
    if (id.empty()) continue;
    const std::string key = rollout_key(app, id);
    auto stored = store_.get(key);
    if (!stored) throw Error(ErrorKind::bad_input, fmt::format("the state has lost rollout `{}`", id), app);
    active_[app] = rollout_from_value(parse_json(stored->value, key));
  }
}

ControlCore::Head ControlCore::read_head(ControlTxn& txn, const std::string& app) const {
  const Value value = txn.get(head_key(app));
  return {value.get_string("active"), value.get_integer("next", 1)};
}

void ControlCore::write_rollout(ControlTxn& txn, const Rollout& rollout) {
  txn.get(rollout_key(rollout.app, rollout.id));
  txn.put(rollout_key(rollout.app, rollout.id), to_value(rollout));
}

// What the end of a rollout brings with it: the app is free for the next one, and after success the groups have a new
// good release, which nodes of these groups that were away get as well.
void ControlCore::close_rollout(ControlTxn& txn, const Rollout& rollout) {
  const Head head = read_head(txn, rollout.app);
  if (head.active == rollout.id) {
    txn.put(head_key(rollout.app), Value::object({{"active", ""}, {"next", head.next}}));
  }
  if (rollout.state != RolloutState::done) return;
  std::set<std::string> groups, members;
  for (const RolloutNode& node : rollout.nodes) {
    groups.insert(node.group);
    members.insert(node.node);
  }
  const Value good = Value::object({{"release", rollout.release}, {"rollout", rollout.id}});
  for (const std::string& group : groups) {
    txn.get(good_key(group, rollout.app));
    txn.put(good_key(group, rollout.app), good);
  }
  for (const auto& [name, known] : nodes_) {
    if (!groups.contains(known.node.group) || members.contains(name)) continue;
    if (!set_desired(txn, {name, rollout.app, rollout.release})) continue;
    append_event(txn, {0, clock_.wall_ms(), rollout.app, rollout.id, "",
                       fmt::format("node `{}` of group `{}` gets it too", name, known.node.group), ""});
  }
}

void ControlCore::apply(ControlTxn& txn, const StepResult& result, const std::string& who) {
  const Rollout& rollout = result.rollout;
  write_rollout(txn, rollout);
  for (const SetDesired& action : result.actions) set_desired(txn, action);
  for (const std::string& text : result.events) {
    append_event(txn, {0, clock_.wall_ms(), rollout.app, rollout.id, who, text, ""});
  }
  if (is_final(rollout.state)) close_rollout(txn, rollout);
}

// After the commit: what memory knows follows what the state says.
void ControlCore::publish(const Rollout& rollout) {
  if (is_final(rollout.state)) {
    active_.erase(rollout.app);
  } else {
    active_[rollout.app] = rollout;
  }
}

std::map<std::string, Observed> ControlCore::fresh_reports(const Rollout& rollout) const {
  std::map<std::string, Observed> out;
  for (const RolloutNode& item : rollout.nodes) {
    auto node = nodes_.find(item.node);
    auto report = observed_.find(item.node);
    if (node == nodes_.end() || report == observed_.end()) continue;
    // It was made before the node knew what it shall do now.
    if (report->second.desired_revision < node->second.desired_revision) continue;
    Observed& copy = out[item.node];
    copy.node = item.node;
    copy.desired_revision = report->second.desired_revision;
    copy.time_ms = report->second.time_ms;
    auto app = report->second.apps.find(rollout.app);
    if (app != report->second.apps.end()) copy.apps.insert(*app);
  }
  return out;
}

std::map<std::string, Node> ControlCore::nodes_of(const Rollout& rollout) const {
  std::map<std::string, Node> out;
  for (const RolloutNode& item : rollout.nodes) {
    auto node = nodes_.find(item.node);
    if (node != nodes_.end()) out[item.node] = node->second.node;
  }
  return out;
}

// True: something was decided and committed.
bool ControlCore::step_once(const std::string& app) {
  const Rollout& before = active_.at(app);
  StepResult result = step(before, fresh_reports(before), nodes_of(before), knobs_, clock_.wall_ms());
  if (result.rollout == before && result.actions.empty()) return false;
  ControlTxn txn(store_);
  apply(txn, result, "");
  commit(txn);
  publish(result.rollout);
  return true;
}

int64_t ControlCore::tick() {
  std::lock_guard lock(mutex_);
  std::vector<std::string> apps;
  for (const auto& [app, rollout] : active_) apps.push_back(app);
  for (const std::string& app : apps) {
    try {
      for (int i = 0; i < kStepsAtOnce && active_.contains(app) && step_once(app); ++i) {
      }
    } catch (const Error& error) {
      // The other rollouts go on, and this one is tried again with the next tick: nothing was written.
      log_error("cannot step a rollout", {{"app", app}, {"error", error.what()}});
    }
  }
  const int64_t now = clock_.wall_ms();
  flush_seen(now);
  int64_t next = now + 1000;
  for (const auto& [app, rollout] : active_) {
    next = std::min(next, next_deadline_ms(rollout, nodes_of(rollout), knobs_, now));
  }
  return next;
}

size_t ControlCore::active_count() {
  std::lock_guard lock(mutex_);
  return active_.size();
}

std::vector<std::string> ControlCore::apps() {
  std::vector<std::string> out;
  for (const StoredValue& entry : store_.list("heads/")) out.push_back(entry.key.substr(head_key("").size()));
  return out;
}

std::vector<Release> ControlCore::releases(const std::string& app) {
  check_app_name(app);
  std::vector<Release> out;
  for (const StoredValue& entry : store_.list(release_key(app, ""))) {
    out.push_back(release_from_value(parse_json(entry.value, entry.key)));
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.created_ms > b.created_ms; });
  return out;
}

std::vector<Rollout> ControlCore::read_rollouts(const std::string& app) {
  std::vector<Rollout> out;
  for (const StoredValue& entry : store_.list(rollout_key(app, ""))) {
    out.push_back(rollout_from_value(parse_json(entry.value, entry.key)));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<Rollout> ControlCore::rollouts(const std::string& app) {
  check_app_name(app);
  return read_rollouts(app);
}

Rollout ControlCore::rollout(const std::string& app, const std::string& id) {
  check_app_name(app);
  const std::string key = rollout_key(app, id);
  auto stored = store_.get(key);
  if (!stored) {
    throw Error(ErrorKind::not_found, fmt::format("`{}` has no rollout `{}`", app, id.substr(0, 80)), app,
                fmt::format("`dae history {}` lists them", app));
  }
  return rollout_from_value(parse_json(stored->value, key));
}

}  // namespace dae::deployer
