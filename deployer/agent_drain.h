#pragma once
// The orderly end of instances that nothing routes to any more.
#include <string>
#include <vector>

#include "deployer/agent_run.h"

namespace dae::deployer {

// With a fence: each web instance is sent one request over its own socket first. Connections are accepted in the order
// they were made, so its answer means that everything that came before the switch has been accepted, and an accepted
// request is finished after TERM. Without that an instance would close its socket with requests still in the queue.
class Drain {
 public:
  Drain(AgentContext& context, std::string release_id, std::string version, std::vector<ReleaseRun::StopItem> items,
        bool fence, int64_t stop_timeout_ms);
  bool tick();  // true when all have ended and are forgotten
  bool owns(const std::string& supervisor_id) const;
  const std::string& release_id() const { return release_id_; }
  ObservedRelease observed() const;

 private:
  bool fence_passed();
  AgentContext& context_;
  std::string release_id_, version_;
  std::vector<ReleaseRun::StopItem> items_;
  std::vector<PendingProbe> fences_;
  int64_t stop_timeout_ms_, since_ms_, fence_deadline_ms_;
  bool stopping_ = false;
};

}  // namespace dae::deployer
