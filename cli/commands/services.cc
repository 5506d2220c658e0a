// dae mirror serve, dae control serve, dae agent: run until SIGTERM.
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "cli/commands/commands.h"
#include "cli/context.h"
#include "cli/mirror_place.h"
#include "deployer/agent.h"
#include "deployer/control.h"
#include "mirror/mirror.h"
#include "mirror/storage/storage.h"

namespace dae::cli {
namespace {

struct Options {
  MirrorPlace place;
  std::string upstream, state, address, ready_file, mirror, control, node, group, root, python,
      gateway_address = "127.0.0.1";
  int64_t port = 0, gateway_port = 0;
  bool stop_apps = false;
};

uint16_t checked_port(int64_t port) {
  if (port < 0 || port > 65535) throw Error(ErrorKind::usage, "a port is a number up to 65535", std::to_string(port));
  return static_cast<uint16_t>(port);
}

// "<pid>\n<url>\n": whoever started us knows from it that the one who listens is us.
void announce(const std::string& ready_file, const std::string& url) {
  if (ready_file.empty()) return;
  write_file_atomic(ready_file, std::to_string(::getpid()) + "\n" + url + "\n", 0644, Durability::none);
}

void wait_for_stop() {
  while (!StopSignal::wait_ms(60'000)) {
  }
}

int run_mirror(const Options& options, Context& context) {
  StopSignal::install();
  mirror::MirrorConfig config = options.place.read();
  if (!options.upstream.empty())
    for (auto& index : config.indexes) index.upstream = options.upstream;
  if (!options.address.empty()) config.address = options.address;
  if (options.port >= 0) config.port = checked_port(options.port);
  auto mirror = mirror::start_mirror(config, context.transport(), *context.runner);
  announce(options.ready_file, mirror->url());
  log_info("mirror listens", {{"url", mirror->url()}, {"storage", mirror::storage_text(config)}});
  wait_for_stop();
  mirror->drain(config.serving.drain_ms);
  log_info("mirror stopped");
  return 0;
}

int run_control(const Options& options, Context& context) {
  StopSignal::install();
  deployer::ControlOptions control_options;
  control_options.state_file = options.state.empty() ? data_dir() / "control" / "state.db" : Path(options.state);
  if (!options.address.empty()) control_options.address = options.address;
  control_options.port = checked_port(options.port);
  control_options.mirror = mirror_url(options.mirror);
  auto control = deployer::start_control(control_options, context.transport(), context.clock);
  announce(options.ready_file, control->url());
  log_info("control listens", {{"url", control->url()}, {"state", control_options.state_file.string()}});
  wait_for_stop();
  control->drain(5'000);
  log_info("control stopped");
  return 0;
}

int run_agent_command(const Options& options, Context& context) {
  StopSignal::install();
  if (options.node.empty()) throw Error(ErrorKind::usage, "an agent needs `--node NAME`");
  if (options.gateway_port == 0)
    throw Error(ErrorKind::usage, "an agent needs `--gateway-port`, where apps are reached");
  deployer::AgentOptions agent;
  agent.node = options.node;
  agent.group = options.group;
  agent.control = control_url(options.control);
  agent.mirror = mirror_url(options.mirror);
  agent.root = std::filesystem::absolute(options.root.empty() ? data_dir() / "node" : Path(options.root));
  agent.python = options.python;
  agent.gateway_url = "http://" + options.gateway_address + ":" + std::to_string(options.gateway_port);
  make_dirs(agent.root);
  auto supervisor = deployer::make_process_supervisor(*context.runner, agent.root / "instances");
  deployer::NginxOptions nginx{agent.root / "gateway", share_dir() / "nginx", options.gateway_address,
                               checked_port(options.gateway_port)};
  auto gateway = deployer::make_nginx_gateway(*context.runner, nginx);
  deployer::run_agent(agent, options.stop_apps, context.transport(), context.clock, *context.runner, *supervisor,
                      *gateway);
  return 0;
}

}  // namespace

Command mirror_serve_command() {
  return {"mirror serve", "serve the package index and the artifact registry", "Services",
          [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            options->port = -1;
            options->place.options(line);
            line.option("--upstream", options->upstream, "`pip` (what pip would use here) or a simple index (a URL)");
            line.option("--address", options->address, "address to listen on");
            line.option("--port", options->port, "port; 0 lets the kernel choose, default 8400");
            line.option("--ready-file", options->ready_file, "written with process id and URL once it listens");
            return [options](Context& context) { return run_mirror(*options, context); };
          }};
}

Command control_serve_command() {
  return {"control serve", "serve the control plane", "Services", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            options->port = 8401;
            line.option("--state", options->state, "SQLite file with groups, releases and rollouts");
            line.option("--mirror", options->mirror, "artifact registry (a URL)");
            line.option("--address", options->address, "address to listen on");
            line.option("--port", options->port, "port; 0 lets the kernel choose");
            line.option("--ready-file", options->ready_file, "written with process id and URL once it listens");
            return [options](Context& context) { return run_control(*options, context); };
          }};
}

Command agent_command() {
  return {"agent", "make this node what the control plane desires", "Services", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            options->group = "prod";
            line.option("--node", options->node, "name of this node");
            line.option("--group", options->group, "group it belongs to");
            line.option("--root", options->root, "folder for releases, environments and sockets");
            line.option("--control", options->control, "control plane (a URL)");
            line.option("--mirror", options->mirror, "artifact registry (a URL)");
            line.option("--python", options->python, "interpreter: a path or a version");
            line.option("--gateway-address", options->gateway_address, "address of the gateway");
            line.option("--gateway-port", options->gateway_port, "port of the gateway");
            line.flag("--stop-apps", options->stop_apps, "end the apps with the agent (they go on otherwise)");
            return [options](Context& context) { return run_agent_command(*options, context); };
          }};
}

}  // namespace dae::cli
