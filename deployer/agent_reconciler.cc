#include "deployer/agent_reconciler.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"

namespace dae::deployer {
namespace {

constexpr int64_t kGatewayCheckMs = 1000;

FileLock lock_root(const Path& root) {
  make_dirs(root / "agent");
  const Path file = root / "agent" / "lock";
  if (auto lock = FileLock::try_acquire(file)) return std::move(*lock);
  const std::string holder(trim(read_file(file, 4096)));
  throw Error(ErrorKind::refused, "another agent works here, process " + holder, root.string(),
              "one agent per root: stop the other one or use another `--root`");
}

std::string text_of(const std::vector<GatewayApp>& routes) {
  std::string out;
  for (const GatewayApp& route : routes) {
    out += route.app + "\n" + route.socket_link.string() + "\n" + join(route.hosts, " ") + "\n";
    for (const auto& [prefix, directory] : route.static_files) out += prefix + " " + directory.string() + "\n";
    for (const auto& [prefix, directory] : route.older_static_files) out += prefix + " " + directory.string() + "\n";
  }
  return out;
}

}  // namespace

NodeReconciler::NodeReconciler(const AgentOptions& options, Transport& transport, Clock& clock, Supervisor& supervisor,
                               Gateway& gateway, ReleasePreparer& preparer)
    : options_(options),
      lock_(lock_root(options.root)),
      gateway_(gateway),
      context_{options, {options.root}, transport, clock, supervisor, preparer, [this] { apply_routes(); }} {
  for (const std::string& app : list_dir(options.root / "apps")) agent_of(app);
  const Path file = context_.layout.desired_file();
  const auto text = read_file_if_exists(file);
  if (!text) return;
  try {
    wanted_ = desired_from_value(parse_json(*text, file.string()));
    take(wanted_);
    stored_ = *text;
  } catch (const Error& error) {
    log_warn("cannot read what was desired last", {{"error", error.what()}});
  }
}

AppAgent& NodeReconciler::agent_of(const std::string& app) {
  auto found = apps_.find(app);
  if (found == apps_.end()) found = apps_.emplace(app, std::make_unique<AppAgent>(context_, app)).first;
  return *found->second;
}

// What to remember of this news: apps that it does not name stay when another state desired them. A control plane that
// has lost its state and says "nothing" must not stop a fleet.
Desired NodeReconciler::merged(const Desired& desired) const {
  Desired kept = desired;
  kept.log_requests.clear();
  kept.revision = 0;  // changes with every other node's news; not worth a flush
  for (auto& [app, wanted] : kept.apps) wanted.store = desired.store;
  for (const auto& [app, known] : wanted_.apps) {
    if (kept.apps.contains(app) || known.store == desired.store) continue;
    kept.apps[app] = known;
    log_warn("another control plane state does not know this app: it is left running", {{"app", app}});
  }
  return kept;
}

void NodeReconciler::apply(const Desired& desired) {
  Desired kept = merged(desired);
  const std::string text = canonical_json(to_value(kept));
  if (text != stored_) {
    write_file_atomic(context_.layout.desired_file(), text);
    stored_ = text;
    wanted_ = std::move(kept);
    take(wanted_);
  }
  desired_revision_ = desired.revision;
}

void NodeReconciler::take(const Desired& desired) {
  rejected_.clear();
  for (const auto& [app, wanted] : desired.apps) {
    try {
      check_release(wanted.release);
      if (wanted.release.app != app) throw Error(ErrorKind::bad_input, "the release is of another app", app);
      agent_of(app).desire(wanted.release);
    } catch (const Error& error) {
      ObservedRelease& rejected = rejected_[app];
      rejected.release = wanted.release.id;
      rejected.version = wanted.release.version;
      rejected.phase = "failed";
      rejected.error = error.what();
      rejected.since_ms = context_.clock.wall_ms();
    }
  }
  for (auto& [app, agent] : apps_) {
    if (!desired.apps.contains(app)) agent->desire(std::nullopt);
  }
}

void NodeReconciler::tick() {
  context_.supervisor.tick();
  for (auto& [app, agent] : apps_) {
    try {
      agent->tick();
    } catch (const Error& error) {
      log_error("a step failed and will be tried again", {{"app", app}, {"error", error.what()}});
    }
  }
  std::erase_if(apps_, [](const auto& item) { return item.second->gone(); });
  keep_gateway_up();
}

void NodeReconciler::start_gateway() {
  routes_ = "?";
  apply_routes();
}

void NodeReconciler::apply_routes() {
  std::vector<GatewayApp> routes;
  for (const auto& [app, agent] : apps_) {
    if (auto route = agent->route()) routes.push_back(std::move(*route));
  }
  std::string text = text_of(routes);
  if (text == routes_ && gateway_.running()) return;
  gateway_.apply(routes);
  routes_ = std::move(text);
}

void NodeReconciler::keep_gateway_up() {
  const int64_t now_ms = context_.clock.monotonic_ms();
  if (now_ms < gateway_check_ms_) return;
  gateway_check_ms_ = now_ms + kGatewayCheckMs;
  try {
    apply_routes();
  } catch (const Error& error) {
    log_error("the gateway does not take its routes", {{"error", error.what()}});
  }
}

Observed NodeReconciler::observed() const {
  Observed out;
  out.node = options_.node;
  out.desired_revision = desired_revision_;
  out.time_ms = context_.clock.wall_ms();
  for (const auto& [app, agent] : apps_) out.apps[app] = agent->observed();
  for (const auto& [app, rejected] : rejected_) {
    auto& releases = out.apps[app].releases;
    releases.insert(releases.begin(), rejected);
  }
  return out;
}

bool NodeReconciler::busy() const {
  return std::any_of(apps_.begin(), apps_.end(), [](const auto& item) { return item.second->busy(); });
}

std::string NodeReconciler::log_text(const std::string& app, const std::string& instance, int64_t lines) const {
  constexpr uint64_t kLimitBytes = 256 << 10;
  const auto limit = static_cast<size_t>(std::clamp<int64_t>(lines, 1, 10'000));
  // The names come from a request: they only choose among the files that are there.
  std::string out;
  if (!apps_.contains(app)) return out;
  for (const std::string& name : list_dir(context_.layout.log_dir(app))) {
    if (!name.ends_with(".log")) continue;
    const std::string stem = name.substr(0, name.size() - 4);
    const bool wanted = instance.empty() || stem == instance || stem.substr(0, stem.rfind('.')) == instance;
    if (!wanted) continue;
    auto tail = split_lines(read_file_tail(context_.layout.log_dir(app) / name, kLimitBytes));
    if (tail.size() > limit) tail.erase(tail.begin(), tail.end() - static_cast<std::ptrdiff_t>(limit));
    for (const std::string& line : tail) out += fmt::format("{}: {}\n", stem, line);
  }
  return out;
}

void NodeReconciler::stop_apps() {
  for (auto& [app, agent] : apps_) agent->stop();
  while (!apps_.empty()) {
    context_.supervisor.tick();
    for (auto& [app, agent] : apps_) agent->tick();
    std::erase_if(apps_, [](const auto& item) { return item.second->gone(); });
    context_.clock.sleep_ms(20);
  }
}

}  // namespace dae::deployer
