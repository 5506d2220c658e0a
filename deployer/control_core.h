#pragma once
// What the control plane does to its state: nodes come and report, releases are submitted, rollouts are stepped. No
// threads and no HTTP, so the simulator runs this very code. Thread-safe. Every change is one transaction, audit log
// included; what is kept in memory (reports, last-seen times, rollouts under way) is rebuilt by the constructor.
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "deployer/control_txn.h"
#include "deployer/rollout.h"

namespace dae::deployer {

struct SubmitRequest {
  Release release;
  std::string who, kind = "deploy";
  bool dry_run = false;
  std::map<std::string, std::vector<std::string>> batches;  // stage -> batches instead of the app's; "" every stage
  std::optional<int64_t> bake_ms;
  std::string only_stage;
};
struct Submitted {
  Rollout rollout;
  bool created = false;  // false: a dry run, or the same deploy is under way already
};

class ControlCore {
 public:
  ControlCore(StateStore& store, Clock& clock, const RolloutKnobs& knobs);

  // Nodes. Unknown ones are not_found, except for register_node.
  void register_node(const Node& node);
  void report(const Observed& observed);
  void seen(const std::string& node);  // a sign of life without a report
  std::vector<Node> nodes();           // by name, with fresh last_seen_ms
  std::map<std::string, Observed> observed();
  Desired desired(const std::string& node);
  int64_t desired_revision(const std::string& node);  // without building the document
  bool is_lost(const std::string& node);
  bool runs(const std::string& node, const std::string& app);  // or shall run it

  // Rollouts. Refused when one is under way that may not be taken over.
  Submitted submit(const SubmitRequest& request);
  Rollout rollback(const std::string& app, const std::string& to_version, const std::string& who);
  Rollout abort(const std::string& app, const std::string& id, const std::string& who);
  Rollout resume(const std::string& app, const std::string& id, const std::string& who);
  std::vector<std::string> apps();
  std::vector<Release> releases(const std::string& app);  // newest first
  std::vector<Rollout> rollouts(const std::string& app);  // newest first
  Rollout rollout(const std::string& app, const std::string& id);
  size_t active_count();

  // Steps every rollout under way as far as it goes now, and writes what is due. Returns the wall time of the next
  // moment at which something may be due; sooner only after a report or a request.
  int64_t tick();

 private:
  struct KnownNode {
    Node node;
    int64_t written_seen_ms = 0;   // last_seen_ms as stored
    int64_t desired_revision = 0;  // of its desired state: older reports do not count
  };
  struct Head {
    std::string active;
    int64_t next = 1;
  };

  void load_nodes();
  void load_active();
  KnownNode& known(const std::string& node);
  bool silent(const KnownNode& node, int64_t now_ms) const;
  void note_seen(KnownNode& node);
  void flush_seen(int64_t now_ms);
  void adopt(ControlTxn& txn, const std::string& node, const std::string& group);
  bool set_desired(ControlTxn& txn, const SetDesired& action);
  void commit(ControlTxn& txn);

  Head read_head(ControlTxn& txn, const std::string& app) const;
  void write_rollout(ControlTxn& txn, const Rollout& rollout);
  void close_rollout(ControlTxn& txn, const Rollout& rollout);
  void apply(ControlTxn& txn, const StepResult& result, const std::string& who);
  bool step_once(const std::string& app);
  void publish(const Rollout& rollout);
  RolloutInput plan_input(ControlTxn& txn, const SubmitRequest& request);
  Submitted submit_locked(const SubmitRequest& request);
  void supersede(ControlTxn& txn, const Rollout& by);
  Release rollback_target(const std::string& app, const std::string& to_version);
  Rollout decide(const std::string& app, const std::string& id, const std::string& who,
                 const std::function<StepResult(const Rollout&)>& decision);
  std::vector<Rollout> read_rollouts(const std::string& app);
  std::map<std::string, Observed> fresh_reports(const Rollout& rollout) const;
  std::map<std::string, Node> nodes_of(const Rollout& rollout) const;

  StateStore& store_;
  Clock& clock_;
  RolloutKnobs knobs_;
  std::string store_id_;
  std::mutex mutex_;
  std::map<std::string, KnownNode> nodes_;
  std::map<std::string, Observed> observed_;
  std::map<std::string, Rollout> active_;  // app -> the rollout under way
  int64_t flushed_ms_ = 0;
};

// Names come from outside and become keys and paths. Throws Error bad_input.
void check_app_name(const std::string& name);
void check_node_name(const std::string& name, const char* what);

}  // namespace dae::deployer
