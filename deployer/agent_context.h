#pragma once
// What every part of the agent works with. All of it outlives the parts; one thread uses it.
#include <functional>

#include "base/clock.h"
#include "base/http_client.h"
#include "deployer/agent.h"
#include "deployer/agent_layout.h"
#include "deployer/agent_store.h"
#include "deployer/supervisor.h"

namespace dae::deployer {

struct AgentContext {
  const AgentOptions& options;
  NodeLayout layout;
  Transport& transport;
  Clock& clock;
  Supervisor& supervisor;
  ReleasePreparer& preparer;
  // Brings the routes of all apps to the gateway; throws when it refuses them.
  std::function<void()> apply_routes;
};

}  // namespace dae::deployer
