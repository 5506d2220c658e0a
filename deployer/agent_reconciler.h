#pragma once
// The agent without its network: takes what is desired, makes it so tick by tick, says what it sees. One thread.
#include <map>
#include <memory>
#include <string>

#include "deployer/agent_app.h"
#include "deployer/agent_context.h"

namespace dae::deployer {

class NodeReconciler {
 public:
  // Refused when another agent works in the same root. What was desired last is read from the disk, so that a node
  // goes on without its control plane.
  NodeReconciler(const AgentOptions& options, Transport& transport, Clock& clock, Supervisor& supervisor,
                 Gateway& gateway, ReleasePreparer& preparer);

  NodeReconciler(const NodeReconciler&) = delete;
  NodeReconciler& operator=(const NodeReconciler&) = delete;

  void start_gateway();  // with the routes of what is live; throws when nginx refuses
  void apply(const Desired& desired);
  void tick();
  Observed observed() const;
  bool busy() const;
  // The last lines of every log of an instance ("web") or of one ("web.0").
  std::string log_text(const std::string& app, const std::string& instance, int64_t lines) const;
  // Ends all instances; returns when they are gone. The next start brings them back.
  void stop_apps();

 private:
  AppAgent& agent_of(const std::string& app);
  Desired merged(const Desired& desired) const;
  void take(const Desired& desired);
  void apply_routes();
  void keep_gateway_up();

  const AgentOptions& options_;
  FileLock lock_;
  Gateway& gateway_;
  AgentContext context_;
  std::map<std::string, std::unique_ptr<AppAgent>> apps_;
  std::map<std::string, ObservedRelease> rejected_;  // desired releases that are not acceptable
  int64_t desired_revision_ = 0;
  std::string stored_;  // what desired.json holds
  Desired wanted_;      // the same, parsed
  std::string routes_;  // as last given to the gateway
  int64_t gateway_check_ms_ = 0;
};

}  // namespace dae::deployer
