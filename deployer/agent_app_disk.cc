// What an app's agent finds on the disk when it starts, and what it clears away.
#include <map>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "deployer/agent_app.h"

namespace dae::deployer {

// "<digest12>.<instance>.<n>.sock"
std::optional<Release> AppAgent::release_of_link() const {
  const Path dir = context_.layout.run(app_);
  for (const std::string& name : list_dir(dir)) {
    const auto target = read_link(dir / name);
    const size_t dot = target ? target->find('.') : std::string::npos;
    if (dot == 12) return stored_release(context_.layout, app_, target->substr(0, dot));
  }
  return std::nullopt;
}

// The link decides what is live: that is where requests go. It is made before the state is written, so a difference
// means that the agent was killed in a switch, and the switch counts as made.
void AppAgent::restore() {
  state_ = load_app_state(context_.layout.state_file(app_));
  auto release = release_of_link();
  if (!release && !state_.live.empty()) {
    release = stored_release(context_.layout, app_, NodeLayout::digest12(state_.live));
  }
  for (const std::string& text : context_.supervisor.list()) {
    const auto id = InstanceId::parse(text);
    if (!id || id->app != app_) continue;
    if (context_.supervisor.status(text).running) {
      adoptable_.insert(text);
    } else {
      context_.supervisor.forget(text);
    }
  }
  if (!release) return;
  live_ = std::make_unique<ReleaseRun>(context_, *release, true);
  routed_ = *release;
  live_facts_.release = release->id;
  live_facts_.version = release->version;
  live_facts_.phase = "live";
  live_facts_.since_ms = context_.clock.wall_ms();
  try {
    live_->start_web(adoptable_, true);
    if (live_->has_web()) point_links(*live_);
    if (state_.live != release->id) {
      record_live(state_, release->id);
      save_app_state(context_.layout.state_file(app_), state_);
    }
  } catch (const Error& error) {
    log_error("cannot bring the live release back", {{"app", app_}, {"error", error.what()}});
    live_facts_.error = error.what();
  }
}

// Instances that no one wants: of a deployment that was cut off, or daemons that were told to stop.
void AppAgent::sweep_strays() {
  std::map<std::string, std::vector<ReleaseRun::StopItem>> strays;  // by digest12
  for (const std::string& text : context_.supervisor.list()) {
    const auto id = InstanceId::parse(text);
    if (!id || id->app != app_) continue;
    bool owned = live_ && live_->owns(text);
    if (candidate_) {
      owned = owned || (candidate_->run() != nullptr && candidate_->run()->owns(text));
      const bool same_release = NodeLayout::digest12(candidate_->release().id) == id->digest12;
      owned = owned || (same_release && candidate_->may_adopt(text) && candidate_->step() != Candidate::Step::failed);
    }
    for (const Drain& drain : drains_) owned = owned || drain.owns(text);
    if (owned) continue;
    Path socket = context_.layout.socket(app_, id->digest12, id->instance, id->number);
    if (!exists(socket)) socket.clear();
    strays[id->digest12].push_back({*id, socket, "localhost", "/"});
    adoptable_.erase(text);
  }
  for (auto& [digest12, items] : strays) {
    const auto release = stored_release(context_.layout, app_, digest12);
    drains_.emplace_back(context_, release ? release->id : digest12, release ? release->version : "", std::move(items),
                         true, context_.options.drain_ms);
    garbage_ = true;
  }
}

void AppAgent::collect_garbage() {
  garbage_ = false;
  std::vector<std::string> needed;
  if (desired_) needed.push_back(NodeLayout::digest12(desired_->id));
  if (candidate_) needed.push_back(NodeLayout::digest12(candidate_->release().id));
  const Path dir = context_.layout.releases(app_);
  for (const std::string& name : releases_to_remove(state_, list_dir(dir), needed, context_.options.keep)) {
    try {
      // The marker goes first: a half-removed release never counts as complete.
      remove_file(dir / name / "release.json");
      remove_all(dir / name);
    } catch (const Error& error) {
      log_warn("cannot remove an old release", {{"app", app_}, {"release", name}, {"error", error.what()}});
    }
  }
}

}  // namespace dae::deployer
