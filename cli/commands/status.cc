// dae status [APP], dae history [APP], dae logs [APP], dae node list.
#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "base/table.h"
#include "cli/commands/commands.h"
#include "cli/rollout_view.h"

namespace dae::cli {
namespace {

struct Options {
  std::string app, control, node, instance;
  int64_t lines = 50;
  bool watch = false;
};

std::string ago(int64_t now_ms, int64_t then_ms) {
  return then_ms == 0 ? "never" : format_duration(std::max<int64_t>(0, now_ms - then_ms)) + " ago";
}

std::string version_of(const deployer::ObservedApp& app, const std::string& release) {
  for (const auto& observed : app.releases)
    if (observed.release == release) return observed.version;
  return release.substr(0, 12);
}

// One line per node that has the app: what its gateway serves, and what else goes on.
Table app_table(const std::string& app, const std::vector<deployer::Node>& nodes,
                const std::map<std::string, deployer::Observed>& observed) {
  Table table({"NODE", "GROUP", "LIVE", "STATE", "INSTANCES", "GATEWAY"});
  for (const deployer::Node& node : nodes) {
    auto seen = observed.find(node.name);
    if (seen == observed.end()) continue;
    auto found = seen->second.apps.find(app);
    if (found == seen->second.apps.end()) continue;
    const deployer::ObservedApp& state = found->second;
    std::string phase, instances;
    for (const auto& release : state.releases) {
      if (release.release != state.live && !phase.empty()) continue;
      phase = release.phase + (release.error.empty() ? "" : ": " + release.error);
      std::vector<std::string> names;
      for (const auto& instance : release.instances)
        names.push_back(instance.name + (instance.state == "running" ? "" : " " + instance.state) +
                        (instance.restarts > 0 ? fmt::format(" ({} restarts)", instance.restarts) : ""));
      instances = join(names, ", ");
    }
    table.add({node.name, node.group, state.live.empty() ? "–" : version_of(state, state.live), phase, instances,
               node.gateway_url});
  }
  return table;
}

int run_status(const Options& options, Context& context) {
  deployer::ControlClient control(context.transport(), control_url(options.control));
  std::string app = options.app;
  if (app.empty()) {
    try {
      app = app_name_or_here("");
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
    }
  }
  std::vector<std::string> apps = app.empty() ? control.apps() : std::vector<std::string>{app};
  std::vector<deployer::Node> nodes = control.nodes();
  std::map<std::string, deployer::Observed> observed = control.observed();
  Value out = Value::array();
  for (const std::string& name : apps) {
    std::vector<deployer::Rollout> rollouts = control.rollouts(name);
    if (rollouts.empty()) {
      if (!app.empty())
        throw Error(ErrorKind::not_found, "nothing was ever deployed under this name", name, "dae deploy");
      continue;
    }
    const deployer::Rollout& newest = rollouts.front();
    if (context.globals.json) {
      Value nodes_json = Value::array();
      for (const auto& [node, report] : observed)
        if (auto found = report.apps.find(name); found != report.apps.end())
          nodes_json.push_back(Value::object({{"node", node},
                                              {"live", found->second.live},
                                              {"version", version_of(found->second, found->second.live)}}));
      out.push_back(Value::object({{"app", name}, {"rollout", to_value(newest)}, {"nodes", std::move(nodes_json)}}));
    } else {
      context.print(fmt::format("{}   {} {} → {}: {}{}\n", name, newest.id, newest.kind, newest.version,
                                deployer::name_of(newest.state),
                                newest.reason.empty() ? "" : " (" + newest.reason + ")"));
      context.print(app_table(name, nodes, observed).render());
    }
    if (options.watch && !deployer::is_final(newest.state)) return follow_rollout(context, control, newest);
  }
  if (context.globals.json) context.print_json(out);
  if (apps.empty()) context.say("no app is deployed yet; next: dae deploy");
  return 0;
}

int run_history(const Options& options, Context& context) {
  deployer::ControlClient control(context.transport(), control_url(options.control));
  std::vector<deployer::Rollout> rollouts = control.rollouts(app_name_or_here(options.app));
  if (context.globals.json) {
    Value out = Value::array();
    for (const auto& rollout : rollouts) out.push_back(to_value(rollout));
    context.print_json(out);
    return 0;
  }
  Table table({"ROLLOUT", "WHEN", "WHO", "KIND", "VERSION", "OUTCOME", "TOOK"});
  for (const auto& rollout : rollouts) {
    std::string took = rollout.finished_ms ? format_duration(rollout.finished_ms - rollout.created_ms) : "";
    table.add({rollout.id, format_utc(rollout.created_ms), rollout.who, rollout.kind, rollout.version,
               std::string(deployer::name_of(rollout.state)) + (rollout.reason.empty() ? "" : ": " + rollout.reason),
               took});
  }
  context.print(table.render());
  return 0;
}

int run_logs(const Options& options, Context& context) {
  deployer::ControlClient control(context.transport(), control_url(options.control));
  auto logs = control.logs(app_name_or_here(options.app), options.node, options.instance, options.lines);
  if (context.globals.json) {
    Value out = Value::object();
    for (const auto& [node, text] : logs) out.set(node, text);
    context.print_json(out);
    return 0;
  }
  for (const auto& [node, text] : logs)
    for (const std::string& line : split_lines(text))
      if (!line.empty()) context.print(logs.size() > 1 ? node + "  " + line + "\n" : line + "\n");
  return 0;
}

int run_nodes(const Options& options, Context& context) {
  deployer::ControlClient control(context.transport(), control_url(options.control));
  std::vector<deployer::Node> nodes = control.nodes();
  if (context.globals.json) {
    Value out = Value::array();
    for (const auto& node : nodes) out.push_back(to_value(node));
    context.print_json(out);
    return 0;
  }
  Table table({"NODE", "GROUP", "PYTHON", "PLATFORM", "SEEN", "GATEWAY"});
  for (const auto& node : nodes)
    table.add({node.name, node.group, node.python, node.platform, ago(context.clock.wall_ms(), node.last_seen_ms),
               node.gateway_url});
  context.print(table.render());
  return 0;
}

Command make(const std::string& name, const std::string& summary, const std::string& group,
             int (*action)(const Options&, Context&), bool app, bool watch, bool logs) {
  return {name, summary, group, [=](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            if (app) line.positional("APP", options->app, "default: the app here", false);
            if (watch) line.flag("-w,--watch", options->watch, "follow a rollout that is going on");
            if (logs) {
              line.option("--node", options->node, "this node only");
              line.option("--instance", options->instance, "this instance only, such as web.0");
              line.option("-n,--lines", options->lines, "how many of the last lines");
            }
            line.option("--control", options->control, "control plane (a URL)");
            return [options, action](Context& context) { return action(*options, context); };
          }};
}

}  // namespace

Command status_command() {
  return make("status", "what is live where, and the rollout going on", "Deploy", run_status, true, true, false);
}
Command history_command() {
  return make("history", "all rollouts of an app and how they ended", "Deploy", run_history, true, false, false);
}
Command logs_command() {
  return make("logs", "the last lines of an app's instances", "Deploy", run_logs, true, false, true);
}
Command node_list_command() {
  return make("node list", "nodes, their groups and when they were last seen", "Services", run_nodes, false, false,
              false);
}

}  // namespace dae::cli
