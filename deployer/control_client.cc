#include <algorithm>

#include <fmt/format.h>

#include "deployer/control.h"

namespace dae::deployer {
namespace {

constexpr int64_t kSlackMs = 15'000;  // beyond what the server was asked to wait

ErrorKind kind_of(int status) {
  switch (status) {
    case 400:
      return ErrorKind::bad_input;
    case 404:
      return ErrorKind::not_found;
    case 422:
      return ErrorKind::verification;
    case 502:
    case 503:
    case 504:
      return ErrorKind::network;
    default:
      return status < 500 ? ErrorKind::refused : ErrorKind::failed;
  }
}

// RFC 9457, or whatever stands between us and the server says.
Error problem_of(const HttpResponse& response, const std::string& url) {
  std::string detail = fmt::format("the control plane answers {}", response.status), hint;
  try {
    const Value problem = parse_json(response.body, url).root;
    detail = problem.get_string("detail", problem.get_string("title", detail));
    hint = problem.get_string("hint");
  } catch (const Error&) {
    hint = fmt::format("is a control plane at {}?", url);
  }
  return Error(kind_of(response.status), detail, "", hint);
}

std::string app_path(const std::string& app, const std::string& rest) {
  return "/api/v1/apps/" + percent_encode(app) + rest;
}

std::string node_path(const std::string& node, const std::string& rest) {
  return "/api/v1/nodes/" + percent_encode(node) + rest;
}

template <typename Item>
std::vector<Item> read_list(const Value& root, const char* key, Item (*read)(const Document&)) {
  std::vector<Item> out;
  for (const Value& item : root.at(key).as_array()) out.push_back(read({"control plane", item}));
  return out;
}

Value order(const std::string& artifact, const Value& overrides) {
  Value body = Value::object({{"artifact", artifact}});
  if (!overrides.is_null()) body.set("overrides", overrides);
  return body;
}

}  // namespace

ControlClient::ControlClient(Transport& transport, std::string url) : transport_(transport), url_(std::move(url)) {
  while (url_.ends_with('/')) url_.pop_back();
}

Value ControlClient::call(const std::string& method, const std::string& path, const Value& body, int64_t timeout_ms) {
  HttpRequest request;
  request.method = method;
  request.url = url_ + path;
  request.timeout_ms = timeout_ms;
  request.headers.add("Accept", "application/json");
  if (!body.is_null()) {
    request.headers.add("Content-Type", "application/json");
    request.body = canonical_json(body);
  }
  const HttpResponse response = transport_.send(std::move(request));
  if (!response.ok()) throw problem_of(response, url_);
  if (response.body.empty()) return {};
  return parse_json(response.body, url_ + path).root;
}

Rollout ControlClient::submit(const std::string& app, const std::string& artifact_digest, const std::string& who,
                              const Value& overrides) {
  Value body = order(artifact_digest, overrides);
  body.set("who", who);
  return rollout_from_value({url_, call("POST", app_path(app, "/rollouts"), body, 60'000)});
}

Rollout ControlClient::plan(const std::string& app, const std::string& artifact_digest, const Value& overrides,
                            const Value& config) {
  Value body = order(artifact_digest, overrides);
  body.set("dry_run", true);
  if (!config.is_null()) body.set("config", config);
  return rollout_from_value({url_, call("POST", app_path(app, "/rollouts"), body, 60'000)});
}

Rollout ControlClient::rollback(const std::string& app, const std::string& to_version, const std::string& who) {
  const Value body = Value::object({{"to_version", to_version}, {"who", who}});
  return rollout_from_value({url_, call("POST", app_path(app, "/rollback"), body)});
}

Rollout ControlClient::abort(const std::string& app, const std::string& rollout_id, const std::string& who) {
  const Value body = who.empty() ? Value::object() : Value::object({{"who", who}});
  return rollout_from_value(
      {url_, call("POST", app_path(app, "/rollouts/" + percent_encode(rollout_id) + "/abort"), body)});
}

Rollout ControlClient::resume(const std::string& app, const std::string& rollout_id, const std::string& who) {
  const Value body = Value::object({{"who", who}});
  return rollout_from_value(
      {url_, call("POST", app_path(app, "/rollouts/" + percent_encode(rollout_id) + "/resume"), body)});
}

Rollout ControlClient::rollout(const std::string& app, const std::string& id, int64_t after_updated_ms,
                               int64_t wait_ms) {
  const std::string path = app_path(
      app, fmt::format("/rollouts/{}?after_updated_ms={}&wait_ms={}", percent_encode(id), after_updated_ms, wait_ms));
  return rollout_from_value({url_, call("GET", path, {}, wait_ms + kSlackMs)});
}

std::vector<Rollout> ControlClient::rollouts(const std::string& app) {
  return read_list<Rollout>(call("GET", app_path(app, "/rollouts"), {}), "rollouts", rollout_from_value);
}

std::vector<Node> ControlClient::nodes() {
  return read_list<Node>(call("GET", "/api/v1/nodes", {}), "nodes", node_from_value);
}

std::map<std::string, Observed> ControlClient::observed() {
  std::map<std::string, Observed> out;
  const Value root = call("GET", "/api/v1/observed", {});
  for (const auto& [node, value] : root.at("observed").as_object()) out[node] = observed_from_value({url_, value});
  return out;
}

std::vector<Release> ControlClient::releases(const std::string& app) {
  return read_list<Release>(call("GET", app_path(app, "/releases"), {}), "releases", release_from_value);
}

std::vector<std::string> ControlClient::apps() {
  return call("GET", "/api/v1/apps", {}).get_strings("apps");
}

std::vector<Value> ControlClient::events(const std::string& app, int64_t limit) {
  return call("GET", app_path(app, fmt::format("/events?limit={}", limit)), {}).at("events").as_array();
}

std::map<std::string, std::string> ControlClient::logs(const std::string& app, const std::string& node,
                                                       const std::string& instance, int64_t lines) {
  const std::string path = app_path(
      app, fmt::format("/logs?node={}&instance={}&lines={}", percent_encode(node), percent_encode(instance), lines));
  std::map<std::string, std::string> out;
  const Value root = call("GET", path, {}, 10'000 + kSlackMs);
  for (const auto& [name, text] : root.at("logs").as_object()) out[name] = text.as_string();
  return out;
}

void ControlClient::register_node(const Node& node) {
  call("PUT", node_path(node.name, ""), to_value(node));
}

std::optional<Desired> ControlClient::desired(const std::string& node, int64_t after_revision, int64_t wait_ms) {
  const std::string path = node_path(node, fmt::format("/desired?after={}&wait_ms={}", after_revision, wait_ms));
  const Value root = call("GET", path, {}, wait_ms + kSlackMs);
  if (root.is_null()) return std::nullopt;
  return desired_from_value({url_, root});
}

void ControlClient::report(const Observed& observed) {
  call("PUT", node_path(observed.node, "/observed"), to_value(observed));
}

void ControlClient::send_log(const std::string& node, const std::string& request_id, const std::string& text) {
  HttpRequest request;
  request.method = "PUT";
  request.url = url_ + node_path(node, "/logs/" + percent_encode(request_id));
  request.timeout_ms = 20'000;
  request.headers.add("Content-Type", "text/plain; charset=utf-8");
  request.body = text;
  const HttpResponse response = transport_.send(std::move(request));
  if (!response.ok()) throw problem_of(response, url_);
}

}  // namespace dae::deployer
