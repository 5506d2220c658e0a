#pragma once
// A node with real processes below a temporary root: releases come from a scripted preparer instead of a registry.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/http_client.h"
#include "deployer/agent_reconciler.h"
#include "deployer/agent_store.h"

namespace dae::deployer {

class RecordingGateway final : public Gateway {
 public:
  void apply(const std::vector<GatewayApp>& apps) override;
  bool running() override { return running_; }
  void stop() override { running_ = false; }
  std::vector<GatewayApp> apps;
  int applied = 0;
  bool refuse = false;

 private:
  bool running_ = false;
};

// Writes a small unix-socket server as the source tree; counts what it was asked for.
class ScriptedPreparer final : public ReleasePreparer {
 public:
  void prepare(const Release& release, const NodeLayout& layout, PrepareProgress& progress) override;
  std::atomic<int> prepared{0};
  std::atomic<int64_t> delay_ms{0};
  std::atomic<bool> fail{false};
};

class AgentTest : public ::testing::Test {
 protected:
  AgentTest();
  void TearDown() override;

  // A release whose version is the answer to every request. `env` steers the server: CRASH, STATUS, SLOW_READY_MS, …
  Release release(const std::string& version, const std::map<std::string, std::string>& env = {},
                  const std::string& app = "bubbler") const;
  static void add_daemon(Release& release, const std::string& name, int64_t count, const std::string& command);
  void desire(const std::vector<Release>& releases);
  void start_node();  // again: as after kill -9 of the agent
  bool until(const std::function<bool()>& condition, int64_t limit_ms = 8000);
  bool live(const Release& release);
  ObservedRelease seen(const Release& release);
  std::string ask(const std::string& app = "bubbler", const std::string& path = "/");  // through the link; "" no answer
  bool idle() { return !node_->busy(); }

  TempDir dir_{"dae-a"};
  SystemClock clock_;
  AgentOptions options_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<ProcessRunner> runner_;
  std::unique_ptr<Supervisor> supervisor_;
  RecordingGateway gateway_;
  Gateway* used_gateway_ = &gateway_;
  ScriptedPreparer preparer_;
  std::unique_ptr<NodeReconciler> node_;
  int64_t revision_ = 0;
};

}  // namespace dae::deployer
