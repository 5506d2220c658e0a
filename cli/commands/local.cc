// dae local up, status, down.
#include <fmt/format.h>

#include "base/error.h"
#include "base/table.h"
#include "cli/commands/commands.h"
#include "cli/local_cluster.h"

namespace dae::cli {
namespace {

struct Options {
  std::string root, upstream, python;
  bool keep = false;
};

Path root_of(const Options& options) {
  return options.root.empty() ? default_local_root() : std::filesystem::absolute(options.root);
}

Value to_json(const LocalState& state) {
  Value nodes = Value::array();
  for (const LocalNode& node : state.nodes)
    nodes.push_back(Value::object({{"name", node.name},
                                   {"group", node.group},
                                   {"gateway", fmt::format("http://127.0.0.1:{}", node.gateway_port)}}));
  return Value::object({{"root", state.root.string()},
                        {"mirror", state.mirror_url},
                        {"control", state.control_url},
                        {"nodes", std::move(nodes)}});
}

int run_up(const Options& options, Context& context) {
  int64_t started_ms = context.clock.monotonic_ms();
  LocalState state = local_up(context, {root_of(options), options.upstream, options.python});
  context.say(fmt::format("mirror {}, control {}   {}", state.mirror_url, state.control_url,
                          format_duration(context.clock.monotonic_ms() - started_ms)));
  for (const LocalNode& node : state.nodes)
    context.say(fmt::format("  {:<6} {:<5} http://127.0.0.1:{}", node.name, node.group, node.gateway_port));
  context.say("next: dae deploy; everything is in " + state.root.string() + ", `dae local down` removes it");
  if (context.globals.json) context.print_json(to_json(state));
  return 0;
}

int run_status(const Options& options, Context& context) {
  std::optional<LocalState> state = read_local_state(root_of(options));
  if (!state) {
    context.say("not up; start it with `dae local up`");
    if (context.globals.json) context.print_json(Value::object({{"up", false}}));
    return 1;
  }
  bool all = !state->processes.empty();
  Table table({"PROCESS", "PID", "STATE"}, {Align::left, Align::right, Align::left});
  Value processes = Value::array();
  for (const LocalProcess& process : state->processes) {
    bool alive = context.runner->alive(process.identity);
    all = all && alive;
    table.add({process.name, std::to_string(process.identity.pid), alive ? "running" : "ended"});
    processes.push_back(Value::object(
        {{"name", process.name}, {"pid", static_cast<int64_t>(process.identity.pid)}, {"running", alive}}));
  }
  if (context.globals.json)
    context.print_json(to_json(*state).set("up", all).set("processes", std::move(processes)));
  else
    context.print(table.render());
  if (!all) context.say("hint: `dae local up` starts what has ended");
  return all ? 0 : 1;
}

int run_down(const Options& options, Context& context) {
  Path root = root_of(options);
  if (!exists(root)) {
    context.say("nothing is up in " + root.string());
    return 0;
  }
  // Only what `up` made is ever removed.
  if (!exists(root / "local.json") && !exists(root / "local.lock"))
    throw Error(ErrorKind::refused, "this folder was not made by `dae local up`", root.string());
  local_down(context, root, options.keep);
  context.say(options.keep ? "stopped; the data stays in " + root.string() : "stopped, and removed " + root.string());
  return 0;
}

}  // namespace

Command local_up_command() {
  return {"local up", "start mirror, control plane and three nodes on this machine", "Services",
          [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.option("--root", options->root, "folder for everything");
            line.option("--upstream", options->upstream, "index behind the mirror: a URL, or `pip` (default)");
            line.option("-p,--python", options->python, "interpreter of the nodes");
            return [options](Context& context) { return run_up(*options, context); };
          }};
}

Command local_status_command() {
  return {"local status", "what of it is running", "Services", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.option("--root", options->root, "folder for everything");
            return [options](Context& context) { return run_status(*options, context); };
          }};
}

Command local_down_command() {
  return {"local down", "stop it and remove its folder", "Services", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.option("--root", options->root, "folder for everything");
            line.flag("--keep", options->keep, "keep the data, so that `up` goes on from it");
            return [options](Context& context) { return run_down(*options, context); };
          }};
}

}  // namespace dae::cli
