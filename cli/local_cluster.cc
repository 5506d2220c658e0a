#include "cli/local_cluster.h"

#include <csignal>

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "cli/ports.h"
#include "deployer/control.h"
#include "deployer/gateway.h"
#include "deployer/supervisor.h"

namespace dae::cli {
namespace {

constexpr int64_t kStartTimeoutMs = 30'000;

Path node_root(const LocalState& state, const LocalNode& node) {
  return state.root / "nodes" / node.name;
}
Path log_file(const LocalState& state, const std::string& process) {
  return state.root / "logs" / (replace_all(process, " ", "-") + ".log");
}

std::string port_of(const std::string& url) {
  return url.substr(url.rfind(':') + 1);
}

// While nothing of the cluster runs, ports that somebody else has taken meanwhile are given up for others. Not those of
// the gateways: nginx outlives its agent and may be there still.
void replace_taken_ports(Context& context, LocalState& state) {
  for (const LocalProcess& process : state.processes)
    if (context.runner->alive(process.identity)) return;
  for (std::string* url : {&state.mirror_url, &state.control_url})
    *url = fmt::format("http://127.0.0.1:{}", free_port(static_cast<uint16_t>(*parse_int(port_of(*url)))));
}

LocalState new_state(const Path& root) {
  LocalState state;
  state.root = root;
  state.mirror_url = fmt::format("http://127.0.0.1:{}", free_port(8400));
  state.control_url = fmt::format("http://127.0.0.1:{}", free_port(8401));
  uint16_t gateway = 8501;
  for (auto [name, group] : {std::pair{"pre1", "pre"}, {"prod1", "prod"}, {"prod2", "prod"}})
    state.nodes.push_back({name, group, free_port(gateway++)});
  return state;
}

bool running(Context& context, const LocalState& state, const std::string& name) {
  for (const LocalProcess& process : state.processes)
    if (process.name == name && context.runner->alive(process.identity)) return true;
  return false;
}

void start(Context& context, LocalState& state, const std::string& name, std::vector<std::string> arguments) {
  ProcessSpec spec;
  spec.argv = {self_executable().string()};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.cwd = state.root;
  spec.env["DAE_CACHE_DIR"] = (state.root / "cache").string();
  spec.env["DAE_DATA_DIR"] = (state.root / "data").string();
  spec.output_file = log_file(state, name);
  spec.own_session = true;
  ProcessIdentity identity = context.runner->spawn(spec);
  std::erase_if(state.processes, [&](const LocalProcess& process) { return process.name == name; });
  state.processes.push_back({name, identity});
  write_local_state(state);
}

// The last lines of a log, for the message when something does not come up.
std::string log_tail(const Path& file) {
  auto text = read_file_if_exists(file);
  if (!text) return "";
  std::vector<std::string> lines = split_lines(*text);
  while (!lines.empty() && trim(lines.back()).empty()) lines.pop_back();
  size_t first = lines.size() > 5 ? lines.size() - 5 : 0;
  return join({lines.begin() + static_cast<std::ptrdiff_t>(first), lines.end()}, "\n  ");
}

void wait_until(Context& context, const LocalState& state, const std::string& name,
                const std::function<bool()>& ready) {
  int64_t deadline_ms = context.clock.monotonic_ms() + kStartTimeoutMs;
  while (!ready()) {
    if (!running(context, state, name))
      throw Error(ErrorKind::failed, "`" + name + "` ended while starting", log_file(state, name).string())
          .because(log_tail(log_file(state, name)));
    if (context.clock.monotonic_ms() > deadline_ms)
      throw Error(ErrorKind::failed, "`" + name + "` did not come up in time", log_file(state, name).string())
          .because(log_tail(log_file(state, name)));
    if (StopSignal::wait_ms(30))
      throw Error(ErrorKind::interrupted, "stopped", "", "`dae local down` removes what was started");
  }
}

Path ready_file(const LocalState& state, const std::string& name) {
  return state.root / (name + ".ready");
}

// Another cluster's service may hold the port: only what our own process wrote counts.
bool ready(const LocalState& state, const std::string& name) {
  auto text = read_file_if_exists(ready_file(state, name));
  if (!text) return false;
  for (const LocalProcess& process : state.processes)
    if (process.name == name) return split_lines(*text).front() == std::to_string(process.identity.pid);
  return false;
}

void start_services(Context& context, LocalState& state, const LocalRequest& request) {
  if (!running(context, state, "mirror")) {
    start(context, state, "mirror",
          {"mirror", "serve", "--storage", (state.root / "mirror").string(), "--port", port_of(state.mirror_url),
           "--upstream", request.upstream.empty() ? "pip" : request.upstream, "--ready-file",
           ready_file(state, "mirror").string()});
    wait_until(context, state, "mirror", [&] { return ready(state, "mirror"); });
  }
  if (!running(context, state, "control")) {
    start(context, state, "control",
          {"control", "serve", "--state", (state.root / "control" / "state.db").string(), "--port",
           port_of(state.control_url), "--mirror", state.mirror_url, "--ready-file",
           ready_file(state, "control").string()});
    wait_until(context, state, "control", [&] { return ready(state, "control"); });
  }
}

void start_nodes(Context& context, LocalState& state, const LocalRequest& request) {
  for (const LocalNode& node : state.nodes) {
    if (running(context, state, "agent " + node.name)) continue;
    start(context, state, "agent " + node.name,
          {"agent", "--node", node.name, "--group", node.group, "--root", node_root(state, node).string(), "--control",
           state.control_url, "--mirror", state.mirror_url, "--gateway-port", std::to_string(node.gateway_port),
           "--stop-apps", "--python", request.python});
  }
  deployer::ControlClient control(context.transport(), state.control_url);
  for (const LocalNode& node : state.nodes)
    wait_until(context, state, "agent " + node.name, [&] { return control.observed().contains(node.name); });
}

void stop_process(Context& context, const LocalProcess& process, int64_t grace_ms) {
  context.runner->signal(process.identity, SIGTERM, false);
  for (int64_t waited_ms = 0; context.runner->alive(process.identity); waited_ms += 20) {
    if (waited_ms > grace_ms) context.runner->signal(process.identity, SIGKILL, false);
    context.clock.sleep_ms(20);
  }
}

// Instances and gateways outlive an agent that was killed: end them by what it wrote down.
void stop_leftovers(Context& context, const LocalState& state, const LocalNode& node) {
  Path root = node_root(state, node);
  if (!exists(root)) return;
  auto supervisor = deployer::make_process_supervisor(*context.runner, root / "instances");
  for (const std::string& id : supervisor->list()) supervisor->stop(id, 3000);
  auto any_running = [&] {
    std::vector<std::string> ids = supervisor->list();
    return std::any_of(ids.begin(), ids.end(), [&](const std::string& id) { return supervisor->status(id).running; });
  };
  for (int waited_ms = 0; any_running() && waited_ms < 10'000; waited_ms += 50) {
    supervisor->tick();
    context.clock.sleep_ms(50);
  }
  auto gateway = deployer::make_nginx_gateway(
      *context.runner, {root / "gateway", share_dir() / "nginx", "127.0.0.1", node.gateway_port});
  gateway->stop();
}

}  // namespace

LocalState local_up(Context& context, const LocalRequest& request) {
  StopSignal::install();
  make_dirs(request.root / "logs");
  FileLock lock = FileLock::acquire(request.root / "local.lock", [&](int pid) {
    context.say(fmt::format("waiting for another `dae local` (process {})", pid));
  });
  LocalState state = read_local_state(request.root).value_or(LocalState{});
  if (state.nodes.empty()) state = new_state(request.root);
  replace_taken_ports(context, state);
  write_local_state(state);
  start_services(context, state, request);
  start_nodes(context, state, request);
  return state;
}

void local_down(Context& context, const Path& root, bool keep) {
  std::optional<LocalState> state = read_local_state(root);
  if (!state) {
    if (!keep) remove_all(root);
    return;
  }
  {
    FileLock lock = FileLock::acquire(root / "local.lock");
    // Agents first: they end their apps and gateways in order. Then what they talk to.
    for (const char* prefix : {"agent ", "control", "mirror"}) {
      std::vector<const LocalProcess*> stopping;
      for (const LocalProcess& process : state->processes)
        if (process.name.starts_with(prefix)) stopping.push_back(&process);
      for (const LocalProcess* process : stopping) context.runner->signal(process->identity, SIGTERM, false);
      for (const LocalProcess* process : stopping) stop_process(context, *process, 20'000);
    }
    for (const LocalNode& node : state->nodes) stop_leftovers(context, *state, node);
    state->processes.clear();
    write_local_state(*state);
  }
  if (!keep) remove_all(root);
}

}  // namespace dae::cli
