#pragma once
// Asks a web instance for its health over its unix socket, without ever blocking the agent's loop.
#include <deque>
#include <future>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/http_client.h"
#include "mirror/artifact/artifact.h"

namespace dae::deployer {

// nullopt: passed; else what was wrong: "GET /healthz answered 500".
struct ProbeResult {
  std::optional<std::string> failure;
  bool answered = false;  // an HTTP answer came, of whatever status
  int status = 0;
};

// A request to an instance that is under way. `host` is sent as Host, for apps that check it.
class PendingProbe {
 public:
  PendingProbe(Transport& transport, const Path& socket, const std::string& host, const std::string& path,
               int64_t timeout_ms);
  std::optional<ProbeResult> poll();  // nullopt: not yet. Not to be called again after it gave a result

 private:
  std::string path_;
  std::future<HttpResponse> future_;
};

// The rule of readiness: consecutive passes; and after that, failures among the last five.
class ProbeHistory {
 public:
  static constexpr int kUnhealthy = 3;
  void add(const ProbeResult& result);
  void reset() { *this = ProbeHistory(); }
  int passes() const { return passes_; }
  // Only results since the first pass count: an app that is still starting is not unhealthy.
  int recent_failures() const;
  bool has_passed() const { return has_passed_; }
  // Answers of a running server that say the release itself is wrong (404, 500, …; 503 may be a warm-up).
  int wrong_answers() const { return wrong_answers_; }
  const std::string& last_failure() const { return last_failure_; }

 private:
  int passes_ = 0, wrong_answers_ = 0;
  bool has_passed_ = false;
  std::deque<bool> recent_;  // true: passed; at most five
  std::string last_failure_;
};

// Probes again and again: quickly until the first pass (`eager`: until it is ready), then at the declared interval.
class Prober {
 public:
  Prober(Transport& transport, Path socket, std::string host, mirror::HealthCheck health, bool eager);
  void tick(int64_t now_ms);
  void reset();
  const ProbeHistory& history() const { return history_; }
  const Path& socket() const { return socket_; }
  const mirror::HealthCheck& health() const { return health_; }
  const std::string& host() const { return host_; }

 private:
  Transport& transport_;
  Path socket_;
  std::string host_;
  mirror::HealthCheck health_;
  bool eager_;
  ProbeHistory history_;
  std::optional<PendingProbe> pending_;
  int64_t next_ms_ = 0;
};

}  // namespace dae::deployer
