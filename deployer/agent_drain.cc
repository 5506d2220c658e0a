#include "deployer/agent_drain.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace dae::deployer {

Drain::Drain(AgentContext& context, std::string release_id, std::string version,
             std::vector<ReleaseRun::StopItem> items, bool fence, int64_t stop_timeout_ms)
    : context_(context),
      release_id_(std::move(release_id)),
      version_(std::move(version)),
      items_(std::move(items)),
      stop_timeout_ms_(stop_timeout_ms),
      since_ms_(context.clock.wall_ms()),
      fence_deadline_ms_(context.clock.monotonic_ms() + stop_timeout_ms) {
  for (const auto& item : items_) {
    if (!fence || item.socket.empty() || !context_.supervisor.status(item.id.text()).running) continue;
    fences_.emplace_back(context_.transport, item.socket, item.host, item.health_path, stop_timeout_ms);
  }
}

bool Drain::fence_passed() {
  std::erase_if(fences_, [](PendingProbe& fence) { return fence.poll().has_value(); });
  return fences_.empty() || context_.clock.monotonic_ms() >= fence_deadline_ms_;
}

bool Drain::tick() {
  if (!stopping_) {
    if (!fence_passed()) return false;
    for (const auto& item : items_) context_.supervisor.stop(item.id.text(), stop_timeout_ms_);
    stopping_ = true;
  }
  std::erase_if(items_, [&](const ReleaseRun::StopItem& item) {
    if (context_.supervisor.status(item.id.text()).running) return false;
    context_.supervisor.forget(item.id.text());
    if (!item.socket.empty()) remove_file(item.socket);
    return true;
  });
  return items_.empty();
}

bool Drain::owns(const std::string& supervisor_id) const {
  return std::any_of(items_.begin(), items_.end(), [&](const auto& item) { return item.id.text() == supervisor_id; });
}

ObservedRelease Drain::observed() const {
  ObservedRelease out;
  out.release = release_id_;
  out.version = version_;
  out.phase = "draining";
  out.since_ms = since_ms_;
  for (const auto& item : items_) {
    const InstanceStatus status = context_.supervisor.status(item.id.text());
    ObservedInstance instance;
    instance.name = item.id.name();
    instance.state = status.running ? "running" : "exited";
    instance.pid = status.process.pid;
    out.instances.push_back(instance);
  }
  return out;
}

}  // namespace dae::deployer
