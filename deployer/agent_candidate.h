#pragma once
// A release on its way to becoming live: prepared on a thread of its own, started beside the live one, probed, settled.
// It never touches the live release; the one that owns it stops the old daemons when told so and makes the switch.
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "deployer/agent_run.h"

namespace dae::deployer {

class Candidate {
 public:
  enum class Step { waiting, preparing, probing, settling, daemons, settling_daemons, ready, failed };

  // `proven`: it has been live on this node. Going back is for bad moments: such a release is probed eagerly and does
  // not have to settle.
  Candidate(AgentContext& context, Release release, bool proven, std::set<std::string> adoptable);

  // `may_prepare`: nobody else fills releases of this app at the moment.
  void tick(bool may_prepare);
  Step step() const { return step_; }
  // From here on the live release's daemons must be down.
  bool in_daemon_steps() const;
  void fail(const std::string& error);

  const Release& release() const { return release_; }
  const ReleaseRun* run() const { return run_.get(); }
  std::unique_ptr<ReleaseRun> take_run() { return std::move(run_); }
  std::future<void> take_preparation() { return std::move(prepared_); }  // may be invalid
  bool may_adopt(const std::string& supervisor_id) const { return !run_ && adoptable_.contains(supervisor_id); }
  ObservedRelease observed() const;

 private:
  void enter(Step step, const char* phase);
  void set_phase(const char* phase);
  void tick_waiting(bool may_prepare);
  void tick_preparing();
  void tick_probing();
  void tick_settling();
  void tick_daemons();
  void tick_settling_daemons();
  void start();
  int64_t settle_ms() const { return proven_ ? 0 : context_.options.settle_ms; }
  bool watch();  // false: it has failed

  AgentContext& context_;
  Release release_;
  bool proven_;
  std::set<std::string> adoptable_;
  Step step_ = Step::waiting;
  std::shared_ptr<PrepareProgress> progress_ = std::make_shared<PrepareProgress>();
  std::future<void> prepared_;
  std::unique_ptr<ReleaseRun> run_;
  ObservedRelease facts_;
  int64_t entered_ms_ = 0, started_ms_ = 0;  // monotonic
};

}  // namespace dae::deployer
