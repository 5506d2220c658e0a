#pragma once
// The HTTP side of the control plane: requests to calls of ControlCore and back (share/doc/formats/control-api.md).
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "base/http_client.h"
#include "base/http_server.h"
#include "deployer/control_core.h"
#include "deployer/control_logs.h"

namespace dae::deployer {

class ControlApi {
 public:
  struct Parts {
    ControlCore& core;
    StateStore& store;
    Clock& clock;
    Transport& transport;
    std::string mirror;
    int waiting_limit = 96;      // long-polls and event streams at once
    std::function<void()> wake;  // tells the loop that something happened
  };
  explicit ControlApi(Parts parts) : parts_(std::move(parts)), logs_(parts_.store) {}
  std::vector<Route> routes();
  void stop();  // long-polls and streams end; answers go on

 private:
  using Handler = ServerResponse (ControlApi::*)(const ServerRequest&);
  Route route(std::string method, std::string pattern, Handler handler, uint64_t body_limit_bytes = 1ull << 20);

  ServerResponse put_node(const ServerRequest&);
  ServerResponse get_nodes(const ServerRequest&);
  ServerResponse get_desired(const ServerRequest&);
  ServerResponse put_observed(const ServerRequest&);
  ServerResponse get_observed(const ServerRequest&);
  ServerResponse put_log(const ServerRequest&);
  ServerResponse get_apps(const ServerRequest&);
  ServerResponse get_releases(const ServerRequest&);
  ServerResponse post_rollout(const ServerRequest&);
  ServerResponse get_rollouts(const ServerRequest&);
  ServerResponse get_rollout(const ServerRequest&);
  ServerResponse post_rollback(const ServerRequest&);
  ServerResponse post_abort(const ServerRequest&);
  ServerResponse post_resume(const ServerRequest&);
  ServerResponse get_logs(const ServerRequest&);
  ServerResponse get_app_events(const ServerRequest&);
  ServerResponse get_events(const ServerRequest&);
  ServerResponse get_health(const ServerRequest&);
  ServerResponse get_metrics(const ServerRequest&);

  // Calls `ready` now and whenever something below `prefix` has changed, until it is true or the time is over.
  bool wait_for(const std::string& prefix, int64_t wait_ms, const std::function<bool()>& ready);
  void stream_events(int64_t after, const std::function<bool(std::string_view)>& write);

  Parts parts_;
  LogDesk logs_;
  std::atomic<int> waiting_{0};
  std::atomic<bool> stopped_{false};
};

}  // namespace dae::deployer
