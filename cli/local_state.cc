#include "cli/local_state.h"

#include "base/error.h"
#include "base/value.h"

namespace dae::cli {

Path default_local_root() {
  if (auto root = env_var("DAE_LOCAL_ROOT")) return *root;
  return data_dir() / "local";
}

std::optional<LocalState> read_local_state(const Path& root) {
  Path file = root / "local.json";
  auto text = read_file_if_exists(file);
  if (!text) return std::nullopt;
  Document document = parse_json(*text, file.string());
  LocalState state;
  state.root = root;
  state.mirror_url = document.root.get_string("mirror");
  state.control_url = document.root.get_string("control");
  for (const Value& node : document.root.at("nodes").as_array())
    state.nodes.push_back(
        {node.get_string("name"), node.get_string("group"), static_cast<uint16_t>(node.get_integer("gateway_port"))});
  for (const Value& process : document.root.at("processes").as_array()) {
    ProcessIdentity identity;
    identity.pid = static_cast<pid_t>(process.get_integer("pid"));
    identity.start_ticks = static_cast<uint64_t>(process.get_integer("start_ticks"));
    identity.boot_id = process.get_string("boot_id");
    state.processes.push_back({process.get_string("name"), identity});
  }
  return state;
}

void write_local_state(const LocalState& state) {
  Value nodes = Value::array(), processes = Value::array();
  for (const LocalNode& node : state.nodes)
    nodes.push_back(Value::object(
        {{"name", node.name}, {"group", node.group}, {"gateway_port", static_cast<int>(node.gateway_port)}}));
  for (const LocalProcess& process : state.processes)
    processes.push_back(Value::object({{"name", process.name},
                                       {"pid", static_cast<int64_t>(process.identity.pid)},
                                       {"start_ticks", process.identity.start_ticks},
                                       {"boot_id", process.identity.boot_id}}));
  Value root = Value::object({{"version", 1}, {"mirror", state.mirror_url}, {"control", state.control_url}});
  root.set("nodes", std::move(nodes));
  root.set("processes", std::move(processes));
  write_file_atomic(state.root / "local.json", pretty_json(root) + "\n");
}

}  // namespace dae::cli
