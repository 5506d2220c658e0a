// What a run says of itself: readiness, trouble, log lines.
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "deployer/agent_run.h"

namespace dae::deployer {
namespace {

constexpr int kWrongAnswers = 5;

// When a worker cannot import the app, gunicorn's master ends with a traceback of its own, which says nothing and would
// push the worker's, which names the cause, out of the tail.
void drop_halt_of_gunicorn(std::vector<std::string>& lines) {
  if (lines.empty() || lines.back().find("HaltServer") == std::string::npos) return;
  const auto last =
      std::find_if(lines.rbegin(), lines.rend(), [](const std::string& line) { return line.starts_with("Traceback"); });
  if (last != lines.rend()) lines.erase(last.base() - 1, lines.end());
}

}  // namespace

std::string tail_of_log(const Path& file, uint64_t offset) {
  constexpr uint64_t kReadBytes = 32 << 10;
  constexpr size_t kTailBytes = 4096, kTailLines = 20;
  const std::string text = read_file_tail(file, kReadBytes, offset);
  auto lines = split_lines(text);
  if (text.size() == kReadBytes && lines.size() > 1) lines.erase(lines.begin());  // cut at its start
  drop_halt_of_gunicorn(lines);
  std::vector<std::string> tail;
  size_t bytes = 0;
  for (size_t i = lines.size(); i > 0 && tail.size() < kTailLines; --i) {
    const std::string line = lines[i - 1].substr(0, kTailBytes / 4);
    if (bytes += line.size() + 1; bytes > kTailBytes) break;
    tail.insert(tail.begin(), line);
  }
  return join(tail, "\n");
}

std::string ReleaseRun::ended() const {
  for (const auto* group : {&web_, &daemons_}) {
    for (const Running& running : *group) {
      if (running.wanted && !running.end.empty()) return running.end;
    }
  }
  return "";
}

bool ReleaseRun::web_ready() const {
  return std::all_of(web_.begin(), web_.end(), [](const Running& running) {
    return running.end.empty() && running.prober->history().passes() >= running.config.health.passes;
  });
}

bool ReleaseRun::web_answered() const {
  return std::all_of(web_.begin(), web_.end(),
                     [](const Running& running) { return running.prober->history().has_passed(); });
}

std::string ReleaseRun::unhealthy() const {
  for (const Running& running : web_) {
    const ProbeHistory& history = running.prober->history();
    const int failures = history.recent_failures();
    if (failures >= ProbeHistory::kUnhealthy) {
      return fmt::format("{} of the last 5 probes of {} failed: {}", failures, running.id.name(),
                         history.last_failure());
    }
    if (!history.has_passed() && history.wrong_answers() >= kWrongAnswers) {
      return fmt::format("{} is not healthy: {}", running.id.name(), history.last_failure());
    }
  }
  return "";
}

std::string ReleaseRun::waiting_for() const {
  for (const Running& running : web_) {
    const ProbeHistory& history = running.prober->history();
    if (history.passes() >= running.config.health.passes) continue;
    return running.id.name() + (history.last_failure().empty() ? "" : ": " + history.last_failure());
  }
  return "";
}

std::string ReleaseRun::log_tail() const {
  const Running* chosen = nullptr;
  for (const auto* group : {&daemons_, &web_}) {
    for (const Running& running : *group) {
      const bool trouble = !running.end.empty() || (running.prober && running.prober->history().passes() == 0);
      if (chosen == nullptr || trouble) chosen = &running;
    }
  }
  if (chosen == nullptr) return "";
  return tail_of_log(context_.layout.log_file(release_.app, chosen->config.name, chosen->id.number),
                     chosen->log_offset);
}

std::vector<std::pair<std::string, Path>> ReleaseRun::web_sockets() const {
  std::vector<std::pair<std::string, Path>> out;
  for (const Running& running : web_) out.emplace_back(running.config.name, running.prober->socket());
  return out;
}

void ReleaseRun::fill(ObservedRelease& out) const {
  bool first = true;
  for (const auto* group : {&web_, &daemons_}) {
    for (const Running& running : *group) {
      if (!running.started) continue;
      ObservedInstance instance;
      instance.name = running.id.name();
      instance.pid = running.status.process.pid;
      instance.restarts = running.restarts;
      instance.state = !running.end.empty()                                        ? "exited"
                       : running.prober && !running.prober->history().has_passed() ? "starting"
                                                                                   : "running";
      out.instances.push_back(instance);
      if (!running.prober) continue;
      const ProbeHistory& history = running.prober->history();
      const int64_t passes = history.passes();
      out.probes_passed = first ? passes : std::min(out.probes_passed, passes);
      out.probes_failed = std::max<int64_t>(out.probes_failed, history.recent_failures());
      first = false;
    }
  }
}

bool ReleaseRun::owns(const std::string& supervisor_id) const {
  const auto is_it = [&](const Running& running) { return running.started && running.id.text() == supervisor_id; };
  return std::any_of(web_.begin(), web_.end(), is_it) || std::any_of(daemons_.begin(), daemons_.end(), is_it);
}

std::vector<ReleaseRun::StopItem> ReleaseRun::stop_items() const {
  std::vector<StopItem> out;
  for (const Running& running : web_) {
    out.push_back({running.id, running.prober->socket(), running.prober->host(), running.config.health.path});
  }
  for (const Running& running : daemons_) {
    if (running.started) out.push_back({running.id, {}, "", ""});
  }
  return out;
}

}  // namespace dae::deployer
