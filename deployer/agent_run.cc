#include "deployer/agent_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "deployer/launch.h"

namespace dae::deployer {
namespace {

constexpr int64_t kFirstBackoffMs = 1000, kLastBackoffMs = 30'000;
constexpr int64_t kSteadyMs = 60'000;  // up so long: the next crash starts the back-off anew

bool is_daemon(const mirror::Instance& instance) {
  return instance.type == "daemon" || instance.type == "service";
}

// The first host that is a plain name: apps may answer 400 to a Host they do not know.
std::string probe_host(const mirror::AppConfig& config) {
  for (const std::string& host : config.gateway_hosts) {
    const auto plain = [](char c) { return isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-'; };
    if (!host.empty() && std::all_of(host.begin(), host.end(), plain) && host[0] != '.') return host;
  }
  return "localhost";
}

}  // namespace

ReleaseRun::ReleaseRun(AgentContext& context, Release release, bool proven)
    : context_(context), release_(std::move(release)), proven_(proven), host_(probe_host(release_.config)) {
  for (const mirror::Instance& instance : release_.config.instances) {
    for (int n = 0; is_daemon(instance) && n < std::min<int64_t>(instance.count, 1000); ++n) {
      Running running;
      running.config = instance;
      running.id = {release_.app, NodeLayout::digest12(release_.id), instance.name, n};
      daemons_.push_back(std::move(running));
    }
  }
}

bool ReleaseRun::has_web() const {
  const auto& all = release_.config.instances;
  return std::any_of(all.begin(), all.end(), [](const mirror::Instance& i) { return i.type == "web"; });
}

bool ReleaseRun::has_daemons() const {
  return !daemons_.empty();
}

int ReleaseRun::web_number(const std::string& instance, const std::set<std::string>& adoptable, bool by_link) const {
  const std::string digest12 = NodeLayout::digest12(release_.id);
  if (by_link) {
    // "<digest12>.<instance>.<n>.sock"
    const std::string target = read_link(context_.layout.socket_link(release_.app, instance)).value_or("");
    const std::string prefix = digest12 + "." + instance + ".";
    if (target.starts_with(prefix) && target.ends_with(".sock")) {
      if (auto n = parse_int(target.substr(prefix.size(), target.size() - prefix.size() - 5)))
        return static_cast<int>(*n);
    }
  }
  const auto known = context_.supervisor.list();
  int free_number = 0;
  for (const std::string& text : known) {
    const auto id = InstanceId::parse(text);
    if (!id || id->app != release_.app || id->digest12 != digest12 || id->instance != instance) continue;
    if (adoptable.contains(text)) return id->number;
    free_number = std::max(free_number, id->number + 1);
  }
  return free_number;
}

void ReleaseRun::start_web(const std::set<std::string>& adoptable, bool by_link) {
  const std::string digest12 = NodeLayout::digest12(release_.id);
  for (const mirror::Instance& instance : release_.config.instances) {
    if (instance.type != "web") continue;
    Running running;
    running.config = instance;
    running.id = {release_.app, digest12, instance.name, web_number(instance.name, adoptable, by_link)};
    const Path socket = context_.layout.socket(release_.app, release_.id, instance.name, running.id.number);
    running.prober = std::make_unique<Prober>(context_.transport, socket, host_, instance.health, proven_);
    web_.push_back(std::move(running));
    launch(web_.back(), adoptable.contains(web_.back().id.text()));
  }
}

// Instances with a socket are web instances; a web instance that has not made its socket yet is waited for too, which
// costs a moment and never breaks the rule. One of our own that was told to stop counts until it is forgotten.
bool ReleaseRun::other_daemon_runs(const std::set<std::string>& adoptable) const {
  for (const std::string& text : context_.supervisor.list()) {
    const auto id = InstanceId::parse(text);
    if (!id || id->app != release_.app) continue;
    const auto is_it = [&](const Running& running) { return running.id.text() == text; };
    if (std::any_of(web_.begin(), web_.end(), is_it)) continue;
    const auto own = std::find_if(daemons_.begin(), daemons_.end(), is_it);
    if (own != daemons_.end()) {
      if (own->wanted || adoptable.contains(text)) continue;
      return true;
    }
    if (!context_.supervisor.status(text).running) continue;
    if (!exists(context_.layout.socket(id->app, id->digest12, id->instance, id->number))) return true;
  }
  return false;
}

bool ReleaseRun::start_daemons(const std::set<std::string>& adoptable) {
  if (other_daemon_runs(adoptable)) return false;
  for (Running& running : daemons_) {
    if (!running.wanted) launch(running, adoptable.contains(running.id.text()));
  }
  return true;
}

void ReleaseRun::stop_daemons() {
  for (Running& running : daemons_) {
    if (running.started) context_.supervisor.stop(running.id.text(), context_.options.drain_ms);
    running.wanted = running.started = false;
    running.end.clear();
    running.restart_at_ms = 0;
  }
}

void ReleaseRun::launch(Running& running, bool adopt) {
  const NodeLayout& layout = context_.layout;
  const Path dir = layout.release(release_.app, release_.id);
  const Path socket = running.prober ? running.prober->socket() : Path();
  InstanceSpec spec;
  spec.id = running.id.text();
  spec.cwd = dir / "source";
  spec.log_file = layout.log_file(release_.app, running.config.name, running.id.number);
  spec.stop_timeout_ms = context_.options.drain_ms;
  Launch launch = launch_instance(release_.config, running.config, dir / "env", spec.cwd,
                                  socket.empty() ? "" : "unix:" + socket.string(), false);
  spec.argv = std::move(launch.argv);
  spec.env = std::move(launch.env);
  spec.env["DAE_INSTANCE"] = running.id.name();
  const bool runs = adopt && context_.supervisor.status(spec.id).running;
  if (!runs) {
    make_dirs(layout.run(release_.app));
    make_dirs(layout.log_dir(release_.app));
    if (!socket.empty()) remove_file(socket);  // of an instance that was killed
    const auto log = file_info(spec.log_file);
    running.log_offset = log ? log->size_bytes : 0;
    context_.supervisor.start(spec);
  }
  if (running.prober) running.prober->reset();
  running.started = running.wanted = true;
  running.started_ms = context_.clock.monotonic_ms();
  running.uptime_ms = 0;
  running.end.clear();
  running.restart_at_ms = 0;
  running.status = context_.supervisor.status(spec.id);
}

void ReleaseRun::observe() {
  const int64_t now_ms = context_.clock.monotonic_ms();
  for (Running& running : web_) observe(running, now_ms);
  for (Running& running : daemons_) observe(running, now_ms);
}

void ReleaseRun::observe(Running& running, int64_t now_ms) {
  if (!running.started || !running.end.empty()) return;
  running.status = context_.supervisor.status(running.id.text());
  if (!running.status.running) {
    note_end(running, now_ms);
    return;
  }
  running.uptime_ms = std::max(running.status.uptime_ms, now_ms - running.started_ms);
  if (running.prober) running.prober->tick(now_ms);
}

void ReleaseRun::note_end(Running& running, int64_t now_ms) {
  if (running.uptime_ms == 0) running.uptime_ms = now_ms - running.started_ms;
  const std::string after = " after " + format_duration(running.uptime_ms);
  const auto code = running.status.exit_code;
  if (!code) {
    running.end = running.id.name() + " ended" + after;
  } else if (*code > 128) {
    running.end = fmt::format("{} was killed by signal {}{}", running.id.name(), *code - 128, after);
  } else {
    running.end = fmt::format("{} exited with {}{}", running.id.name(), *code, after);
  }
  if (running.uptime_ms >= kSteadyMs) running.backoff_ms = 0;
  running.backoff_ms = std::clamp(running.backoff_ms * 2, kFirstBackoffMs, kLastBackoffMs);
  running.restart_at_ms = now_ms + running.backoff_ms;
  log_warn("an instance ended", {{"app", release_.app}, {"release", running.id.digest12}, {"how", running.end}});
}

void ReleaseRun::keep_up() {
  const int64_t now_ms = context_.clock.monotonic_ms();
  for (Running& running : web_) keep_up(running, now_ms);
  for (Running& running : daemons_) keep_up(running, now_ms);
}

void ReleaseRun::keep_up(Running& running, int64_t now_ms) {
  if (!running.wanted || running.end.empty() || now_ms < running.restart_at_ms) return;
  try {
    launch(running, false);
    ++running.restarts;
  } catch (const Error& error) {
    running.end = running.id.name() + " cannot start: " + error.what();
    running.restart_at_ms = now_ms + kLastBackoffMs;
  }
}

}  // namespace dae::deployer
