#pragma once
// The instances of one release on this node: started, adopted, probed, restarted, stopped.
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "deployer/agent_context.h"
#include "deployer/agent_probe.h"

namespace dae::deployer {

class ReleaseRun {
 public:
  // `proven`: it has been live on this node before and is probed eagerly.
  ReleaseRun(AgentContext& context, Release release, bool proven);

  const Release& release() const { return release_; }
  bool has_web() const;
  bool has_daemons() const;

  // Starts what does not run yet; ids in `adoptable` (running since before the agent was) are taken over as they are.
  // A fresh web instance takes the lowest number that the supervisor does not know, because the same release may still
  // be draining; with `by_link` the one that the socket link names. Throws Error when an instance cannot be launched.
  void start_web(const std::set<std::string>& adoptable, bool by_link);
  // False while another daemon of the app still runs: two releases' daemons never run at once.
  bool start_daemons(const std::set<std::string>& adoptable);
  void stop_daemons();

  // Looks at processes and probes. Call it often.
  void observe();
  // Restarts what has ended, with a back-off of 1, 2, 4 … 30 s. For the live release.
  void keep_up();

  // "web.0 exited with 1 after 140 ms" of the first instance that is not running though it should; "" none.
  std::string ended() const;
  bool web_ready() const;         // every web instance has the passes it needs
  bool web_answered() const;      // every web instance has passed once
  std::string unhealthy() const;  // 3 of the last 5 probes failed, or only wrong answers: why; "" healthy
  std::string waiting_for() const;
  std::string log_tail() const;  // of the instance that is in trouble, else of the first
  // Instance name -> socket, for the links.
  std::vector<std::pair<std::string, Path>> web_sockets() const;
  void fill(ObservedRelease& out) const;

  struct StopItem {
    InstanceId id;
    Path socket;  // web only
    std::string host, health_path;
  };
  std::vector<StopItem> stop_items() const;
  bool owns(const std::string& supervisor_id) const;  // and wants it to run

 private:
  struct Running {
    mirror::Instance config;
    InstanceId id;
    std::unique_ptr<Prober> prober;  // web only
    bool started = false;            // by us or adopted
    bool wanted = false;
    int64_t started_ms = 0;
    int64_t uptime_ms = 0;    // last seen
    uint64_t log_offset = 0;  // where this start's lines begin
    InstanceStatus status;
    std::string end;  // how it ended, "" while it runs
    int64_t restarts = 0, backoff_ms = 0, restart_at_ms = 0;
  };

  int web_number(const std::string& instance, const std::set<std::string>& adoptable, bool by_link) const;
  void launch(Running& running, bool adopt);
  void observe(Running& running, int64_t now_ms);
  void note_end(Running& running, int64_t now_ms);
  void keep_up(Running& running, int64_t now_ms);
  bool other_daemon_runs(const std::set<std::string>& adoptable) const;

  AgentContext& context_;
  Release release_;
  bool proven_;
  std::string host_;
  std::vector<Running> web_, daemons_;
};

// The last lines of a log, at most 20 and 4 KiB, from `offset` on.
std::string tail_of_log(const Path& file, uint64_t offset);

}  // namespace dae::deployer
