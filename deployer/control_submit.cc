// The part of ControlCore that takes orders: submit, rollback, abort, resume.
#include <algorithm>

#include <fmt/format.h>

#include "deployer/audit_log.h"
#include "deployer/control_core.h"

namespace dae::deployer {
namespace {

std::string describe(const Rollout& rollout) {
  std::string text = fmt::format("{} of version {} to", rollout.kind, rollout.version);
  for (const Stage& stage : rollout.stages) {
    size_t count = 0;
    for (const auto& batch : stage.batches) count += batch.size();
    text += fmt::format(" `{}` ({} node{})", stage.name, count, count == 1 ? "" : "s");
  }
  return text;
}

void override_stages(std::vector<mirror::StageConfig>& stages, const SubmitRequest& request) {
  if (stages.empty()) stages = mirror::default_stages();
  for (const auto& [name, batches] : request.batches) {
    bool known = name.empty();
    for (auto& stage : stages) {
      if (!name.empty() && stage.name != name) continue;
      stage.batches = batches;
      known = true;
    }
    if (!known) throw Error(ErrorKind::bad_input, fmt::format("there is no stage `{}` to set batches of", name));
  }
  for (auto& stage : stages) stage.bake_ms = request.bake_ms.value_or(stage.bake_ms);
}

Error under_way(const Rollout& active) {
  return Error(ErrorKind::refused,
               fmt::format("rollout `{}` of version {} is {}", active.id, active.version, name_of(active.state)),
               active.app,
               fmt::format("wait for its end (`dae status {0} --watch`), or take it back with `dae rollback --app {0}`",
                           active.app));
}

}  // namespace

RolloutInput ControlCore::plan_input(ControlTxn& txn, const SubmitRequest& request) {
  RolloutInput input;
  const std::string& app = request.release.app;
  input.id = fmt::format("r-{:06}", read_head(txn, app).next);
  input.app = app;
  input.who = request.who;
  input.kind = request.kind;
  input.release = request.release;
  override_stages(input.release.config.stages, request);
  input.only_stage = request.only_stage;
  input.now_ms = clock_.wall_ms();
  input.node_lost_ms = knobs_.node_lost_ms;
  input.supersedes = active_.contains(app);
  for (const auto& [name, known] : nodes_) {
    input.nodes.push_back(known.node);
    const Value desired = txn.get(desired_key(name));
    if (const Value* apps = desired.find("apps")) input.current[name] = apps->get_string(app);
    const std::string& group = known.node.group;
    if (!input.good.contains(group)) input.good[group] = txn.get(good_key(group, app)).get_string("release");
  }
  return input;
}

void ControlCore::supersede(ControlTxn& txn, const Rollout& by) {
  auto active = active_.find(by.app);
  if (active == active_.end()) return;
  Rollout old = active->second;
  old.state = RolloutState::superseded;
  old.reason = "superseded by " + by.id;
  old.finished_ms = clock_.wall_ms();
  old.updated_ms = std::max(old.finished_ms, old.updated_ms + 1);
  write_rollout(txn, old);
  append_event(txn, {0, old.finished_ms, old.app, old.id, by.who, old.reason, ""});
}

Submitted ControlCore::submit_locked(const SubmitRequest& request) {
  const std::string& app = request.release.app;
  auto active = active_.find(app);
  if (active != active_.end() && !request.dry_run && request.kind != "rollback") {
    // The answer to the first try got lost on the way: this is the same order again.
    const Rollout& other = active->second;
    if (other.release == request.release.id && other.kind == request.kind) return {other, false};
    throw under_way(other);
  }
  ControlTxn txn(store_);
  Rollout rollout = plan_rollout(plan_input(txn, request));
  if (request.dry_run) return {rollout, false};
  const int64_t next = read_head(txn, app).next + 1;
  txn.put(head_key(app), Value::object({{"active", is_final(rollout.state) ? "" : rollout.id}, {"next", next}}));
  if (txn.get(release_key(app, request.release.id)).is_null()) {
    txn.put(release_key(app, request.release.id), to_value(request.release));
  }
  supersede(txn, rollout);
  write_rollout(txn, rollout);
  append_event(txn, {0, rollout.created_ms, app, rollout.id, request.who, describe(rollout), ""});
  if (is_final(rollout.state)) {
    append_event(txn, {0, rollout.created_ms, app, rollout.id, request.who, rollout.reason, ""});
  }
  commit(txn);
  publish(rollout);
  return {rollout, true};
}

Submitted ControlCore::submit(const SubmitRequest& request) {
  check_app_name(request.release.app);
  if (request.kind != "deploy" && request.kind != "rollback") {
    throw Error(ErrorKind::bad_input, fmt::format("`{}` is no kind of rollout", request.kind.substr(0, 40)), "",
                "use `deploy` or `rollback`");
  }
  std::lock_guard lock(mutex_);
  return submit_locked(request);
}

// The release asked for, or the newest one that finished a rollout before the one that is (or is becoming) live. A
// rollback itself does not count as a step forward: a second one goes further back, never to what was just left.
Release ControlCore::rollback_target(const std::string& app, const std::string& to_version) {
  const auto history = read_rollouts(app);
  auto is_done = [](const Rollout& item) { return item.state == RolloutState::done; };
  std::string target;
  if (!to_version.empty()) {
    for (const Release& release : releases(app)) {
      if (release.version != to_version) continue;
      const bool proven = std::any_of(history.begin(), history.end(),
                                      [&](const auto& item) { return is_done(item) && item.release == release.id; });
      if (target.empty() || proven) target = release.id;
      if (proven) break;
    }
    if (target.empty()) {
      throw Error(ErrorKind::not_found, fmt::format("`{}` has no release of version `{}`", app, to_version), app,
                  fmt::format("`dae history {}` lists what was released", app));
    }
  } else {
    auto from = history.begin();
    std::string current;
    if (auto active = active_.find(app); active != active_.end()) {
      current = active->second.release;
    } else if (from = std::find_if(from, history.end(), is_done); from != history.end()) {
      current = from->release;
      auto first = std::find_if(from, history.end(), [&](const Rollout& item) {
        return is_done(item) && item.kind == "deploy" && item.release == current;
      });
      if (first != history.end()) from = first;
    }
    auto found = std::find_if(from, history.end(),
                              [&](const Rollout& item) { return is_done(item) && item.release != current; });
    if (found == history.end()) {
      throw Error(ErrorKind::refused, fmt::format("there is no earlier release of `{}` to go back to", app), app);
    }
    target = found->release;
  }
  const std::string key = release_key(app, target);
  auto stored = store_.get(key);
  if (!stored) throw Error(ErrorKind::failed, fmt::format("the state has lost release `{}`", target), app);
  return release_from_value(parse_json(stored->value, key));
}

Rollout ControlCore::rollback(const std::string& app, const std::string& to_version, const std::string& who) {
  check_app_name(app);
  std::lock_guard lock(mutex_);
  SubmitRequest request;
  request.release = rollback_target(app, to_version);
  request.kind = "rollback";
  request.who = who;
  return submit_locked(request).rollout;
}

Rollout ControlCore::decide(const std::string& app, const std::string& id, const std::string& who,
                            const std::function<StepResult(const Rollout&)>& decision) {
  std::lock_guard lock(mutex_);
  auto active = active_.find(app);
  const bool current = active != active_.end() && active->second.id == id;
  const StepResult result = decision(current ? active->second : rollout(app, id));
  if (!current || result.events.empty()) return result.rollout;
  ControlTxn txn(store_);
  apply(txn, result, who);
  commit(txn);
  publish(result.rollout);
  return result.rollout;
}

Rollout ControlCore::abort(const std::string& app, const std::string& id, const std::string& who) {
  const int64_t now = clock_.wall_ms();
  return decide(app, id, who, [&](const Rollout& rollout) { return abort_rollout(rollout, who, knobs_, now); });
}

Rollout ControlCore::resume(const std::string& app, const std::string& id, const std::string& who) {
  const int64_t now = clock_.wall_ms();
  return decide(app, id, who, [&](const Rollout& rollout) { return resume_rollout(rollout, who, knobs_, now); });
}

}  // namespace dae::deployer
