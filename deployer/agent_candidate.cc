#include "deployer/agent_candidate.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace dae::deployer {
namespace {

// One line for the person who reads `dae status`; the hint is part of it.
std::string text_of(const Error& error) {
  return error.hint().empty() ? error.what() : fmt::format("{} ({})", error.what(), error.hint());
}

}  // namespace

Candidate::Candidate(AgentContext& context, Release release, bool proven, std::set<std::string> adoptable)
    : context_(context), release_(std::move(release)), proven_(proven), adoptable_(std::move(adoptable)) {
  facts_.release = release_.id;
  facts_.version = release_.version;
  enter(Step::waiting, "fetching");
}

void Candidate::enter(Step step, const char* phase) {
  step_ = step;
  entered_ms_ = context_.clock.monotonic_ms();
  set_phase(phase);
}

void Candidate::set_phase(const char* phase) {
  if (facts_.phase == phase) return;
  facts_.phase = phase;
  facts_.since_ms = context_.clock.wall_ms();
}

void Candidate::fail(const std::string& error) {
  facts_.error = error;
  if (run_) facts_.log_tail = run_->log_tail();
  enter(Step::failed, "failed");
  log_warn("a release failed", {{"app", release_.app}, {"version", release_.version}, {"error", error}});
}

bool Candidate::in_daemon_steps() const {
  const bool there = step_ == Step::daemons || step_ == Step::settling_daemons || step_ == Step::ready;
  return there && run_ && run_->has_daemons();
}

void Candidate::tick(bool may_prepare) {
  try {
    switch (step_) {
      case Step::waiting:
        return tick_waiting(may_prepare);
      case Step::preparing:
        return tick_preparing();
      case Step::probing:
        return tick_probing();
      case Step::settling:
        return tick_settling();
      case Step::daemons:
        return tick_daemons();
      case Step::settling_daemons:
        return tick_settling_daemons();
      case Step::ready:
        watch();
        return;
      case Step::failed:
        return;
    }
  } catch (const Error& error) {
    fail(text_of(error));
  }
}

void Candidate::tick_waiting(bool may_prepare) {
  // A release whose files are here needs no thread and waits for nobody: going back is immediate.
  if (is_complete(context_.layout, release_.app, release_.id)) return start();
  if (!may_prepare) return;
  prepared_ = std::async(std::launch::async,
                         [&preparer = context_.preparer, release = release_, layout = context_.layout,
                          progress = progress_] { complete_release(preparer, release, layout, *progress); });
  enter(Step::preparing, "fetching");
}

void Candidate::tick_preparing() {
  constexpr const char* kPhases[] = {"fetching", "verifying", "linking"};
  set_phase(kPhases[progress_->step.load()]);
  if (prepared_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
  prepared_.get();
  start();
}

void Candidate::start() {
  started_ms_ = context_.clock.monotonic_ms();
  run_ = std::make_unique<ReleaseRun>(context_, release_, proven_);
  enter(run_->has_web() ? Step::probing : Step::daemons, "starting");
  run_->start_web(adoptable_, false);
}

bool Candidate::watch() {
  run_->observe();
  const std::string ended = run_->ended();
  if (!ended.empty()) return fail(ended), false;
  const std::string unhealthy = run_->unhealthy();
  if (!unhealthy.empty()) return fail(unhealthy), false;
  return true;
}

void Candidate::tick_probing() {
  if (!watch()) return;
  if (run_->web_answered()) set_phase("probing");
  if (run_->web_ready()) return enter(Step::settling, "ready");
  const int64_t limit_ms = context_.options.ready_deadline_ms;
  if (context_.clock.monotonic_ms() - started_ms_ > limit_ms) {
    fail(fmt::format("not ready within {}: {}", format_duration(limit_ms), run_->waiting_for()));
  }
}

void Candidate::tick_settling() {
  if (!watch()) return;
  if (!run_->web_ready()) return enter(Step::probing, "probing");
  if (context_.clock.monotonic_ms() - entered_ms_ < settle_ms()) return;
  enter(run_->has_daemons() ? Step::daemons : Step::ready, "ready");
}

void Candidate::tick_daemons() {
  if (!watch()) return;
  if (!run_->has_daemons()) return enter(Step::ready, "ready");
  if (run_->start_daemons(adoptable_)) enter(Step::settling_daemons, "ready");
}

void Candidate::tick_settling_daemons() {
  if (!watch()) return;
  if (context_.clock.monotonic_ms() - entered_ms_ >= settle_ms()) enter(Step::ready, "ready");
}

ObservedRelease Candidate::observed() const {
  ObservedRelease out = facts_;
  out.fetched_bytes = progress_->fetched_bytes;
  out.total_bytes = progress_->total_bytes;
  out.fetch_ms = progress_->fetch_ms;
  if (started_ms_ > 0 && step_ != Step::failed) out.start_ms = context_.clock.monotonic_ms() - started_ms_;
  if (run_) run_->fill(out);
  return out;
}

}  // namespace dae::deployer
