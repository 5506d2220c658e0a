#include "deployer/agent_app.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace dae::deployer {
namespace {

constexpr int64_t kShowTroubleMs = 60'000;
constexpr int64_t kStopUnroutedMs = 5000;

}  // namespace

AppAgent::AppAgent(AgentContext& context, std::string app) : context_(context), app_(std::move(app)) {
  restore();
}

void AppAgent::desire(const std::optional<Release>& release) {
  desired_known_ = true;
  desired_ = release;
  if (candidate_ && (!release || candidate_->release().id != release->id)) abandon_candidate();
  const bool is_live = live_ && release && live_->release().id == release->id;
  if (!release || is_live || candidate_) return;
  log_info("deploying", {{"app", app_}, {"version", release->version}, {"release", NodeLayout::digest12(release->id)}});
  const bool proven = std::find(state_.good.begin(), state_.good.end(), release->id) != state_.good.end();
  candidate_.emplace(context_, *release, proven, adoptable_);
}

void AppAgent::tick() {
  drains_.remove_if([](Drain& drain) { return drain.tick(); });
  if (desired_known_ && !desired_ && live_) remove_app();
  if (live_) tick_live();
  if (candidate_) tick_candidate();
  abandoned_.remove_if([](std::future<void>& preparation) {
    return preparation.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  });
  if (desired_known_) sweep_strays();
  if (garbage_ && drains_.empty() && abandoned_.empty() && desired_known_) collect_garbage();
}

void AppAgent::tick_live() {
  live_->observe();
  const std::string ended = live_->ended();
  const std::string trouble = ended.empty() ? live_->unhealthy() : ended;
  const int64_t now_ms = context_.clock.monotonic_ms();
  if (!trouble.empty()) {
    if (trouble != live_facts_.error) live_facts_.log_tail = live_->log_tail();
    live_facts_.error = trouble;
    trouble_until_ms_ = now_ms + kShowTroubleMs;
  } else if (now_ms >= trouble_until_ms_) {
    live_facts_.error.clear();
    live_facts_.log_tail.clear();
  }
  live_->keep_up();
  if (live_daemons_started_ || !live_->has_daemons() || (candidate_ && candidate_->in_daemon_steps())) return;
  try {
    live_daemons_started_ = live_->start_daemons(adoptable_);
  } catch (const Error& error) {
    live_facts_.error = error.what();
    trouble_until_ms_ = now_ms + kShowTroubleMs;
    live_daemons_started_ = true;  // the same would fail again
  }
}

void AppAgent::tick_candidate() {
  candidate_->tick(abandoned_.empty());
  if (candidate_->step() == Candidate::Step::failed) {
    if (auto run = candidate_->take_run()) drain(std::move(run), false);
    return;  // stays as the failed one until something else is desired
  }
  if (candidate_->in_daemon_steps() && live_ && live_daemons_started_) {
    live_->stop_daemons();
    live_daemons_started_ = false;
  }
  if (candidate_->step() == Candidate::Step::ready) switch_to_candidate();
}

void AppAgent::abandon_candidate() {
  if (auto run = candidate_->take_run()) drain(std::move(run), false);
  auto preparation = candidate_->take_preparation();
  if (preparation.valid()) abandoned_.push_back(std::move(preparation));
  candidate_.reset();
  garbage_ = true;
}

void AppAgent::switch_to_candidate() {
  const auto before = routed_;
  try {
    // Routes first: the link that the new upstream names may still be missing, the other order would lose requests.
    routed_ = candidate_->release();
    context_.apply_routes();
    point_links(*candidate_->run());
    record_live(state_, candidate_->release().id);
    save_app_state(context_.layout.state_file(app_), state_);
  } catch (const Error& error) {
    routed_ = before;
    if (live_) point_links(*live_);
    candidate_->fail(error.what());
    return;
  }
  live_facts_ = candidate_->observed();
  live_facts_.instances.clear();
  live_facts_.phase = "live";
  live_facts_.since_ms = context_.clock.wall_ms();
  log_info("switched", {{"app", app_}, {"version", live_facts_.version}});
  if (live_) drain(std::move(live_), true);
  live_ = candidate_->take_run();
  live_daemons_started_ = true;
  candidate_.reset();
  garbage_ = true;
}

// Readers of a link see the old target or the new one. Links of instances that the release does not have are removed.
void AppAgent::point_links(const ReleaseRun& run) {
  const Path dir = context_.layout.run(app_);
  make_dirs(dir);
  std::set<std::string> wanted;
  for (const auto& [instance, socket] : run.web_sockets()) {
    const Path link = context_.layout.socket_link(app_, instance);
    const std::string target = socket.filename().string();
    wanted.insert(link.filename().string());
    if (read_link(link) != target) symlink_atomic(target, link);
  }
  for (const std::string& name : list_dir(dir)) {
    if (read_link(dir / name) && !wanted.contains(name)) remove_file(dir / name);
  }
  const std::string target = "releases/" + NodeLayout::digest12(run.release().id);
  const auto before = read_link(context_.layout.current_link(app_));
  if (before == target) return;
  if (before) symlink_atomic(*before, context_.layout.previous_link(app_));
  symlink_atomic(target, context_.layout.current_link(app_));
}

void AppAgent::remove_app() {
  log_info("removing", {{"app", app_}});
  routed_.reset();
  try {
    context_.apply_routes();
  } catch (const Error& error) {
    log_error("cannot take an app from the gateway", {{"app", app_}, {"error", error.what()}});
  }
  for (const auto& [instance, socket] : live_->web_sockets()) remove_file(context_.layout.socket_link(app_, instance));
  remove_file(context_.layout.current_link(app_));
  remove_file(context_.layout.previous_link(app_));
  state_.live.clear();
  save_app_state(context_.layout.state_file(app_), state_);
  drain(std::move(live_), true);
}

void AppAgent::stop() {
  desired_known_ = true;
  desired_.reset();
  if (candidate_) abandon_candidate();
  // The links and the state stay: the next start brings the app back.
  if (live_) drain(std::move(live_), false);
}

void AppAgent::drain(std::unique_ptr<ReleaseRun> run, bool fence) {
  const int64_t timeout_ms = fence ? context_.options.drain_ms : std::min(kStopUnroutedMs, context_.options.drain_ms);
  auto items = run->stop_items();
  for (const auto& item : items) adoptable_.erase(item.id.text());
  drains_.emplace_back(context_, run->release().id, run->release().version, std::move(items), fence, timeout_ms);
  garbage_ = true;
}

ObservedRelease AppAgent::observed_live() const {
  ObservedRelease out = live_facts_;
  out.probes_passed = out.probes_failed = 0;
  live_->fill(out);
  return out;
}

ObservedApp AppAgent::observed() const {
  ObservedApp out;
  if (live_) out.live = live_->release().id;
  if (candidate_) out.releases.push_back(candidate_->observed());
  if (live_) out.releases.push_back(observed_live());
  for (const Drain& drain : drains_) {
    // A failed release is reported as failed, also while its instances end.
    if (candidate_ && candidate_->release().id == drain.release_id()) continue;
    if (live_ && live_->release().id == drain.release_id()) continue;
    out.releases.push_back(drain.observed());
  }
  return out;
}

std::optional<GatewayApp> AppAgent::route() const {
  if (!routed_) return std::nullopt;
  for (const mirror::Instance& instance : routed_->config.instances) {
    if (instance.type != "web") continue;
    GatewayApp out;
    out.app = app_;
    out.socket_link = context_.layout.socket_link(app_, instance.name);
    out.hosts = routed_->config.gateway_hosts;
    for (const auto& [prefix, directory] : routed_->config.static_files) {
      out.static_files.emplace_back(prefix, context_.layout.current_link(app_) / "source" / directory);
      out.older_static_files[prefix] = context_.layout.previous_link(app_) / "source" / directory;
    }
    return out;
  }
  return std::nullopt;
}

bool AppAgent::busy() const {
  const bool moving = candidate_ && candidate_->step() != Candidate::Step::failed;
  return moving || !drains_.empty() || !abandoned_.empty() || (live_ && !live_->ended().empty());
}

bool AppAgent::gone() const {
  return desired_known_ && !desired_ && !live_ && !candidate_ && drains_.empty() && abandoned_.empty();
}

}  // namespace dae::deployer
