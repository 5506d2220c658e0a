// The part of ControlApi for people and tools that look on: logs, events, probes.
#include <algorithm>

#include <fmt/format.h>

#include "base/strings.h"
#include "deployer/audit_log.h"
#include "deployer/control_api.h"

namespace dae::deployer {
namespace {

constexpr int64_t kLogWaitMs = 10'000;
constexpr int64_t kKeepAliveMs = 15'000;
constexpr int64_t kSliceMs = 100;
constexpr int64_t kMaxLogLines = 10'000;

int64_t number_or(const std::string& text, int64_t fallback) {
  const auto number = parse_int(text);
  return number && *number >= 0 ? *number : fallback;
}

}  // namespace

ServerResponse ControlApi::get_logs(const ServerRequest& request) {
  const std::string& app = request.captures[0];
  check_app_name(app);
  const std::string only = request.query_value("node");
  const int64_t lines = std::clamp<int64_t>(number_or(request.query_value("lines"), 100), 1, kMaxLogLines);
  std::vector<std::string> nodes, missing;
  for (const Node& node : parts_.core.nodes()) {
    if (!only.empty() && node.name != only) continue;
    if (!parts_.core.runs(node.name, app)) continue;
    (parts_.core.is_lost(node.name) ? missing : nodes).push_back(node.name);
  }
  if (nodes.empty() && missing.empty()) {
    throw Error(ErrorKind::not_found,
                only.empty() ? fmt::format("no node runs `{}`", app) : fmt::format("`{}` does not run `{}`", only, app),
                app);
  }
  const auto texts = logs_.ask(nodes, app, request.query_value("instance"), lines, kLogWaitMs);
  Value logs = Value::object();
  for (const std::string& node : nodes) {
    auto text = texts.find(node);
    if (text == texts.end()) {
      missing.push_back(node);
    } else {
      logs.set(node, text->second);
    }
  }
  std::sort(missing.begin(), missing.end());
  return ServerResponse::json(200,
                              canonical_json(Value::object({{"logs", logs}, {"missing", Value::strings(missing)}})));
}

ServerResponse ControlApi::get_app_events(const ServerRequest& request) {
  check_app_name(request.captures[0]);
  const int64_t limit = std::clamp<int64_t>(number_or(request.query_value("limit"), 200), 1, 10'000);
  Value events = Value::array();
  for (Value& event : recent_events(parts_.store, request.captures[0], static_cast<size_t>(limit))) {
    events.push_back(std::move(event));
  }
  return ServerResponse::json(200, canonical_json(Value::object({{"events", events}})));
}

ServerResponse ControlApi::get_events(const ServerRequest& request) {
  const std::string last_seen(request.headers.get("Last-Event-ID"));
  const int64_t after = number_or(last_seen, number_or(request.query_value("after"), last_event(parts_.store)));
  ServerResponse response;
  response.headers.add("Content-Type", "text/event-stream");
  response.headers.add("Cache-Control", "no-store");
  response.stream = [this, after](const std::function<bool(std::string_view)>& write) { stream_events(after, write); };
  return response;
}

void ControlApi::stream_events(int64_t after, const std::function<bool(std::string_view)>& write) {
  if (++waiting_ > parts_.waiting_limit) {
    --waiting_;
    write("retry: 5000\n\n");
    return;
  }
  int64_t quiet_since = parts_.clock.monotonic_ms();
  bool open = write(": audit log\n\n");
  while (open && !stopped_) {
    const int64_t revision = parts_.store.revision();
    if (auto event = read_event(parts_.store, after + 1)) {
      ++after;
      quiet_since = parts_.clock.monotonic_ms();
      open = write(fmt::format("id: {}\ndata: {}\n\n", after, canonical_json(*event)));
      continue;
    }
    parts_.store.wait("events/", revision, kSliceMs);
    if (parts_.clock.monotonic_ms() - quiet_since >= kKeepAliveMs) {
      quiet_since = parts_.clock.monotonic_ms();
      open = write(":\n\n");
    }
  }
  --waiting_;
}

ServerResponse ControlApi::get_health(const ServerRequest&) {
  return ServerResponse::json(200, canonical_json(Value::object({{"status", "ok"}})));
}

ServerResponse ControlApi::get_metrics(const ServerRequest&) {
  size_t lost = 0;
  const auto nodes = parts_.core.nodes();
  for (const Node& node : nodes) lost += parts_.core.is_lost(node.name) ? 1 : 0;
  std::string text;
  auto gauge = [&](const char* name, const char* help, auto value) {
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} gauge\n{0} {2}\n", name, help, value);
  };
  gauge("dae_control_nodes", "registered nodes", nodes.size());
  gauge("dae_control_nodes_lost", "nodes that do not report", lost);
  gauge("dae_control_rollouts_active", "rollouts under way", parts_.core.active_count());
  gauge("dae_control_revision", "revision of the state", parts_.store.revision());
  gauge("dae_control_events", "entries of the audit log", last_event(parts_.store));
  gauge("dae_control_waiting", "long-polls and event streams", waiting_.load());
  return ServerResponse::text(200, text, "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace dae::deployer
