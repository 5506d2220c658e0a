#pragma once
// One app on one node: the live release, the candidate beside it, and what is draining. A state machine driven by
// tick(); nothing here blocks, and the disk holds enough to go on after kill -9 at any point:
//   routes -> socket links -> `current` -> state.json (flushed) -> fence and drain of the old release.
#include <future>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "deployer/agent_candidate.h"
#include "deployer/agent_drain.h"
#include "deployer/agent_state.h"
#include "deployer/gateway.h"

namespace dae::deployer {

class AppAgent {
 public:
  // Finds the live release on the disk and takes over its running instances.
  AppAgent(AgentContext& context, std::string app);

  void desire(const std::optional<Release>& release);
  void tick();
  void stop();  // everything, for the end of the node; `tick` until gone()

  ObservedApp observed() const;
  std::optional<GatewayApp> route() const;
  bool busy() const;  // in motion: tick again soon
  bool gone() const;  // nothing desired, nothing left

 private:
  void restore();
  std::optional<Release> release_of_link() const;
  void tick_live();
  void tick_candidate();
  void abandon_candidate();
  void switch_to_candidate();
  void point_links(const ReleaseRun& run);
  void remove_app();
  void drain(std::unique_ptr<ReleaseRun> run, bool fence);
  void sweep_strays();
  void collect_garbage();
  ObservedRelease observed_live() const;

  AgentContext& context_;
  std::string app_;
  AppState state_;
  bool desired_known_ = false;
  std::optional<Release> desired_;
  std::unique_ptr<ReleaseRun> live_;
  ObservedRelease live_facts_;
  int64_t trouble_until_ms_ = 0;  // monotonic; how long the last crash is shown
  bool live_daemons_started_ = false;
  std::optional<Candidate> candidate_;
  std::optional<Release> routed_;  // whose routes the gateway shall have
  std::list<Drain> drains_;
  std::list<std::future<void>> abandoned_;  // preparations that nobody waits for; they must end before the next one
  std::set<std::string> adoptable_;         // supervisor ids that ran before we did
  bool garbage_ = true;
};

}  // namespace dae::deployer
