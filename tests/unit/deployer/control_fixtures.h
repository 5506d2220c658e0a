#pragma once
// A control plane on a port of its own, a registry that exists in memory, and agents that do what they are told.
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "deployer/control.h"

namespace dae::deployer::testing_support {

// Answers what the control plane asks a registry for.
class FakeRegistry final : public Transport {
 public:
  // Returns the artifact's digest.
  std::string publish(const std::string& app, const std::string& version, int64_t bake_ms = 0,
                      const std::string& confirm = "auto");
  void corrupt(const std::string& artifact);  // from now on its configuration has other bytes
  HttpResponse send(HttpRequest request) override;
  std::future<HttpResponse> send_async(HttpRequest request) override;

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> answers_;  // path -> body
  std::map<std::string, std::string> config_of_;
};

// Long-polls, reports and answers log questions on a thread of its own, over real HTTP.
class FakeAgent {
 public:
  FakeAgent(Transport& transport, std::string url, std::string name, std::string group);
  ~FakeAgent();
  void move_to(std::string url);  // the control plane is somewhere else now
  void break_release(const std::string& version) { set_broken(version); }
  void hold(bool held) { held_ = held; }  // learns nothing new meanwhile, but reports
  std::string live_version();
  std::string desired_version();

 private:
  void run();
  void round();
  void set_broken(const std::string& version);

  Transport& transport_;
  std::mutex mutex_;
  std::string url_, name_, group_, broken_, live_version_, desired_version_;
  std::atomic<bool> stop_{false}, held_{false};
  bool registered_ = false;
  Desired desired_;
  std::thread thread_;
};

class ControlBench {
 public:
  ControlBench();
  void start();
  void stop() { control_.reset(); }  // as abruptly as a process can be ended from inside
  ControlClient& client() { return *client_; }
  FakeAgent& add_agent(const std::string& name, const std::string& group);
  Rollout follow(const Rollout& rollout, int64_t limit_ms = 8'000);
  // Waits until `condition` holds; false when the time is over.
  static bool eventually(const std::function<bool()>& condition, int64_t limit_ms = 5'000);
  HttpResponse get(const std::string& path);
  HttpResponse send(const std::string& method, const std::string& path, const std::string& body);
  const std::string& url() const { return url_; }

  TempDir dir;
  FakeRegistry registry;
  SystemClock clock;
  ControlOptions options;

 private:
  std::unique_ptr<Transport> transport_ = make_http_client();
  std::string url_;
  std::unique_ptr<Control> control_;
  std::unique_ptr<ControlClient> client_;
  std::map<std::string, std::unique_ptr<FakeAgent>> agents_;
};

}  // namespace dae::deployer::testing_support
