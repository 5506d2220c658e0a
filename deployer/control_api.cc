#include "deployer/control_api.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/strings.h"
#include "deployer/control_release.h"

namespace dae::deployer {
namespace {

constexpr int64_t kLongestWaitMs = 60'000;
// How long a waiter sleeps at most before it looks whether we are being stopped. Changes wake it at once.
constexpr int64_t kSliceMs = 100;
constexpr uint64_t kReportLimitBytes = 4ull << 20;

ServerResponse answer(const Value& value, int status = 200) {
  return ServerResponse::json(status, canonical_json(value));
}

ServerResponse no_content() {
  ServerResponse response;
  response.status = 204;
  return response;
}

template <typename Items>
ServerResponse answer_list(const char* name, const Items& items) {
  Value list = Value::array();
  for (const auto& item : items) list.push_back(to_value(item));
  return answer(Value::object({{name, list}}));
}

int64_t query_integer(const ServerRequest& request, std::string_view key, int64_t fallback, int64_t max) {
  const std::string text = request.query_value(key);
  if (text.empty()) return fallback;
  const auto number = parse_int(text);
  if (!number || *number < 0) {
    throw Error(ErrorKind::bad_input, fmt::format("`{}` must be a number from 0", key), text.substr(0, 40));
  }
  return std::min(*number, max);
}

Document body_of(const ServerRequest& request) {
  return parse_json(request.body, "request body");
}

std::string who_of(Reader& reader) {
  const std::string who = reader.string("who", "unknown");
  return who.substr(0, 200);
}

std::vector<std::string> batches_of(const Value& value, Reader& reader) {
  if (!value.is_array()) throw reader.error_at(value, "expected a list of batches, such as [1, \"25%\"]");
  std::vector<std::string> out;
  for (const Value& item : value.as_array()) {
    out.push_back(item.is_integer() ? std::to_string(item.as_integer()) : item.as_string());
  }
  if (out.empty() || out.size() > 100) throw reader.error_at(value, "expected 1 to 100 batches");
  return out;
}

void read_overrides(Reader& overrides, SubmitRequest& request) {
  if (overrides.has("bake_ms")) request.bake_ms = overrides.integer("bake_ms", 0, 0, 7 * 24 * 3600 * 1000ll);
  request.only_stage = overrides.string("only_stage");
  if (const Value* batches = overrides.optional("batches")) {
    if (batches->is_object()) {
      for (const auto& [stage, list] : batches->as_object()) request.batches[stage] = batches_of(list, overrides);
    } else {
      request.batches[""] = batches_of(*batches, overrides);
    }
  }
  overrides.finish();
}

// Counts one more that waits, and says how long it may: when nearly all workers wait, nobody would be left to serve.
class Seat {
 public:
  Seat(std::atomic<int>& taken, int limit) : taken_(taken), free_(++taken_ <= limit) {}
  ~Seat() { --taken_; }
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  bool is_free() const { return free_; }

 private:
  std::atomic<int>& taken_;
  bool free_;
};

}  // namespace

Route ControlApi::route(std::string method, std::string pattern, Handler handler, uint64_t body_limit_bytes) {
  Route out;
  out.method = std::move(method);
  out.pattern = std::move(pattern);
  out.handle = [this, handler](const ServerRequest& request) { return (this->*handler)(request); };
  out.body_limit_bytes = body_limit_bytes;
  return out;
}

std::vector<Route> ControlApi::routes() {
  return {
      route("PUT", "/api/v1/nodes/{}", &ControlApi::put_node),
      route("GET", "/api/v1/nodes", &ControlApi::get_nodes),
      route("GET", "/api/v1/nodes/{}/desired", &ControlApi::get_desired),
      route("PUT", "/api/v1/nodes/{}/observed", &ControlApi::put_observed, kReportLimitBytes),
      route("PUT", "/api/v1/nodes/{}/logs/{}", &ControlApi::put_log, kReportLimitBytes),
      route("GET", "/api/v1/observed", &ControlApi::get_observed),
      route("GET", "/api/v1/apps", &ControlApi::get_apps),
      route("GET", "/api/v1/apps/{}/releases", &ControlApi::get_releases),
      route("POST", "/api/v1/apps/{}/rollouts", &ControlApi::post_rollout),
      route("GET", "/api/v1/apps/{}/rollouts", &ControlApi::get_rollouts),
      route("GET", "/api/v1/apps/{}/rollouts/{}", &ControlApi::get_rollout),
      route("POST", "/api/v1/apps/{}/rollouts/{}/abort", &ControlApi::post_abort),
      route("POST", "/api/v1/apps/{}/rollouts/{}/resume", &ControlApi::post_resume),
      route("POST", "/api/v1/apps/{}/rollback", &ControlApi::post_rollback),
      route("GET", "/api/v1/apps/{}/logs", &ControlApi::get_logs),
      route("GET", "/api/v1/apps/{}/events", &ControlApi::get_app_events),
      route("GET", "/api/v1/events", &ControlApi::get_events),
      route("GET", "/healthz", &ControlApi::get_health),
      route("GET", "/metrics", &ControlApi::get_metrics),
  };
}

void ControlApi::stop() {
  stopped_ = true;
  logs_.stop();
}

bool ControlApi::wait_for(const std::string& prefix, int64_t wait_ms, const std::function<bool()>& ready) {
  Seat seat(waiting_, parts_.waiting_limit);
  const int64_t until = parts_.clock.monotonic_ms() + (seat.is_free() ? wait_ms : std::min(wait_ms, kSliceMs));
  for (;;) {
    // The revision is read before the state is: a change in between is then seen by the wait.
    const int64_t revision = parts_.store.revision();
    if (ready()) return true;
    const int64_t left = until - parts_.clock.monotonic_ms();
    if (left <= 0 || stopped_) return false;
    parts_.store.wait(prefix, revision, std::min(left, kSliceMs));
  }
}

ServerResponse ControlApi::put_node(const ServerRequest& request) {
  Node node = node_from_value(body_of(request));
  if (node.name != request.captures[0]) {
    throw Error(ErrorKind::bad_input, "the body names another node than the address", request.captures[0]);
  }
  parts_.core.register_node(node);
  parts_.wake();
  return no_content();
}

ServerResponse ControlApi::get_nodes(const ServerRequest&) {
  return answer_list("nodes", parts_.core.nodes());
}

ServerResponse ControlApi::get_desired(const ServerRequest& request) {
  const std::string& node = request.captures[0];
  int64_t after = query_integer(request, "after", 0, INT64_MAX);
  const int64_t wait_ms = query_integer(request, "wait_ms", 0, kLongestWaitMs);
  parts_.core.seen(node);
  // A revision from the future: our state was restored from an older copy. What we know now is news then.
  if (after > parts_.store.revision()) after = 0;
  const bool news = wait_for(desired_key(node), wait_ms, [&] { return parts_.core.desired_revision(node) > after; });
  if (news) return answer(to_value(parts_.core.desired(node)));
  return no_content();
}

ServerResponse ControlApi::put_observed(const ServerRequest& request) {
  const Observed observed = observed_from_value(body_of(request));
  if (observed.node != request.captures[0]) {
    throw Error(ErrorKind::bad_input, "the body names another node than the address", request.captures[0]);
  }
  parts_.core.report(observed);
  parts_.wake();
  return no_content();
}

ServerResponse ControlApi::get_observed(const ServerRequest&) {
  Value all = Value::object();
  for (const auto& [node, observed] : parts_.core.observed()) all.set(node, to_value(observed));
  return answer(Value::object({{"observed", all}}));
}

ServerResponse ControlApi::put_log(const ServerRequest& request) {
  parts_.core.seen(request.captures[0]);
  if (!logs_.answer(request.captures[0], request.captures[1], request.body)) {
    throw Error(ErrorKind::not_found, "nobody waits for this log", request.captures[1].substr(0, 80));
  }
  return no_content();
}

ServerResponse ControlApi::get_apps(const ServerRequest&) {
  return answer(Value::object({{"apps", Value::strings(parts_.core.apps())}}));
}

ServerResponse ControlApi::get_releases(const ServerRequest& request) {
  return answer_list("releases", parts_.core.releases(request.captures[0]));
}

ServerResponse ControlApi::post_rollout(const ServerRequest& request) {
  const std::string& app = request.captures[0];
  check_app_name(app);
  const Document body = body_of(request);
  Reader reader(body);
  SubmitRequest order;
  const std::string artifact = reader.required_string("artifact");
  order.who = who_of(reader);
  order.kind = reader.string("kind", "deploy");
  order.dry_run = reader.boolean("dry_run", false);
  if (auto overrides = reader.object("overrides")) read_overrides(*overrides, order);
  const Value* config = order.dry_run ? reader.optional("config") : nullptr;
  reader.finish();
  order.release =
      config ? make_release({body.name, *config}, app, Digest::parse(artifact), parts_.clock.wall_ms())
             : read_release_from_registry(parts_.transport, parts_.mirror, app, artifact, parts_.clock.wall_ms());
  const Submitted submitted = parts_.core.submit(order);
  parts_.wake();
  return answer(to_value(submitted.rollout), submitted.created ? 201 : 200);
}

ServerResponse ControlApi::get_rollouts(const ServerRequest& request) {
  return answer_list("rollouts", parts_.core.rollouts(request.captures[0]));
}

ServerResponse ControlApi::get_rollout(const ServerRequest& request) {
  const std::string &app = request.captures[0], &id = request.captures[1];
  const int64_t after = query_integer(request, "after_updated_ms", 0, INT64_MAX);
  const int64_t wait_ms = query_integer(request, "wait_ms", 0, kLongestWaitMs);
  Rollout rollout = parts_.core.rollout(app, id);
  wait_for(rollout_key(app, id), wait_ms, [&] {
    rollout = parts_.core.rollout(app, id);
    return rollout.updated_ms > after || is_final(rollout.state);
  });
  return answer(to_value(rollout));
}

ServerResponse ControlApi::post_rollback(const ServerRequest& request) {
  const Document body = body_of(request);
  Reader reader(body);
  const std::string version = reader.string("to_version");
  const std::string who = who_of(reader);
  reader.finish();
  const Rollout rollout = parts_.core.rollback(request.captures[0], version, who);
  parts_.wake();
  return answer(to_value(rollout), 201);
}

ServerResponse ControlApi::post_abort(const ServerRequest& request) {
  const Document body = body_of(request);
  Reader reader(body);
  const std::string who = who_of(reader);
  reader.finish();
  const Rollout rollout = parts_.core.abort(request.captures[0], request.captures[1], who);
  parts_.wake();
  return answer(to_value(rollout));
}

ServerResponse ControlApi::post_resume(const ServerRequest& request) {
  const Document body = body_of(request);
  Reader reader(body);
  const std::string who = who_of(reader);
  reader.finish();
  const Rollout rollout = parts_.core.resume(request.captures[0], request.captures[1], who);
  parts_.wake();
  return answer(to_value(rollout));
}

}  // namespace dae::deployer
