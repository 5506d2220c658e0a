#pragma once
// `dae control serve`: groups, nodes, releases and rollouts over HTTP (/api/v1, share/doc/formats/control-api.md), and
// the loop that steps rollouts. All state is in the store: kill it at any time, start it again, and rollouts go on.
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/http_client.h"
#include "base/http_server.h"
#include "deployer/rollout.h"
#include "deployer/state_store.h"

namespace dae::deployer {

struct ControlOptions {
  Path state_file;
  std::string address = "127.0.0.1";
  uint16_t port = 8401;
  std::string mirror;  // registry from which releases are read at submit
  RolloutKnobs knobs;
  int workers = 128;  // requests served at once; long-polls hold one each, and never take the last quarter
};

class Control {
 public:
  virtual ~Control() = default;
  virtual std::string url() const = 0;
  virtual void drain(int64_t grace_ms) = 0;
};
std::unique_ptr<Control> start_control(const ControlOptions& options, Transport& transport, Clock& clock);

// The client's side, used by the commands and the agent. Errors of the server (RFC 9457) come back as Error with its
// hint.
class ControlClient {
 public:
  ControlClient(Transport& transport, std::string url);
  Rollout submit(const std::string& app, const std::string& artifact_digest, const std::string& who,
                 const Value& overrides = {});
  // Nothing is stored. With `config` (the artifact's configuration document) the artifact need not be published.
  Rollout plan(const std::string& app, const std::string& artifact_digest, const Value& overrides = {},
               const Value& config = {});
  Rollout rollback(const std::string& app, const std::string& to_version, const std::string& who);
  Rollout abort(const std::string& app, const std::string& rollout_id, const std::string& who = "");
  Rollout resume(const std::string& app, const std::string& rollout_id, const std::string& who);  // a paused one
  // Long-poll: returns when it changed after `after_updated_ms` or after wait_ms.
  Rollout rollout(const std::string& app, const std::string& id, int64_t after_updated_ms = 0, int64_t wait_ms = 0);
  std::vector<Rollout> rollouts(const std::string& app);  // newest first
  std::vector<Node> nodes();
  std::map<std::string, Observed> observed();
  std::vector<Release> releases(const std::string& app);
  std::vector<std::string> apps();
  // The newest of the audit log, oldest first: mappings with seq, time_ms, app, rollout, who, text, previous.
  std::vector<Value> events(const std::string& app, int64_t limit = 200);
  // node -> text
  std::map<std::string, std::string> logs(const std::string& app, const std::string& node, const std::string& instance,
                                          int64_t lines);
  // For agents.
  void register_node(const Node& node);
  std::optional<Desired> desired(const std::string& node, int64_t after_revision, int64_t wait_ms);  // nullopt: no news
  void report(const Observed& observed);
  void send_log(const std::string& node, const std::string& request_id, const std::string& text);

 private:
  Value call(const std::string& method, const std::string& path, const Value& body, int64_t timeout_ms = 20'000);
  Transport& transport_;
  std::string url_;
};

}  // namespace dae::deployer
