#include "deployer/rollout_judge.h"

#include <fmt/format.h>

#include "base/clock.h"

namespace dae::deployer {
namespace {

using Kind = Judgement::Kind;
constexpr size_t kLogTailBytes = 4096;
constexpr int64_t kTooManyFailedProbes = 3;

Judgement failed(std::string phase, std::string error, const std::string& log_tail = "") {
  const size_t cut = log_tail.size() > kLogTailBytes ? log_tail.size() - kLogTailBytes : 0;
  return {Kind::failed, std::move(phase), std::move(error), log_tail.substr(cut), 0};
}

// nullopt: the node is not lost.
std::optional<Judgement> judge_lost(const Reports& reports, const std::string& name) {
  auto node = reports.nodes.find(name);
  const int64_t limit = reports.knobs.node_lost_ms;
  if (node != reports.nodes.end() && reports.now_ms - node->second.last_seen_ms <= limit) return std::nullopt;
  return Judgement{Kind::lost, "", fmt::format("no report for {}", format_duration(limit)), "", 0};
}

const ObservedApp* find_app(const Reports& reports, const std::string& node, const std::string& app) {
  auto observed = reports.observed.find(node);
  if (observed == reports.observed.end()) return nullptr;
  auto found = observed->second.apps.find(app);
  return found == observed->second.apps.end() ? nullptr : &found->second;
}

const ObservedRelease* find_release(const ObservedApp& app, const std::string& release) {
  for (const ObservedRelease& item : app.releases) {
    if (item.release == release) return &item;
  }
  return nullptr;
}

std::string failure_text(const ObservedRelease& release) {
  return release.error.empty() ? "the release failed to start" : release.error;
}

// While it starts, an app that does not answer yet is no failure: the deadline is for that.
bool is_probed(const ObservedRelease& release) {
  return release.phase == "probing" || release.phase == "ready" || release.phase == "live";
}

Judgement judge_running(const ObservedRelease& release, const RolloutNode& node) {
  Judgement out{Kind::ready, release.phase, "", "", 0};
  std::string restarted;
  for (const ObservedInstance& instance : release.instances) {
    out.restarts += instance.restarts;
    if (instance.restarts > 0) restarted = instance.name;
  }
  if (node.restarts >= 0 && out.restarts > node.restarts) {
    const std::string why = release.error.empty() ? "" : ": " + release.error;
    return failed(release.phase, fmt::format("`{}` restarted after it was live{}", restarted, why), release.log_tail);
  }
  return out;
}

}  // namespace

Judgement judge_deploy(const Reports& reports, const std::string& app_name, const std::string& release_id,
                       const RolloutNode& node) {
  if (auto lost = judge_lost(reports, node.node)) return *lost;
  const ObservedApp* app = find_app(reports, node.node, app_name);
  if (app == nullptr) return {};
  const ObservedRelease* release = find_release(*app, release_id);
  if (release != nullptr && release->phase == "failed") {
    return failed(release->phase, failure_text(*release), release->log_tail);
  }
  const bool was_ready = node.phase == NodePhase::ready;
  if (was_ready && !app->live.empty() && app->live != release_id) {
    return failed("", fmt::format("the node went back to release `{}`", app->live.substr(0, 12)),
                  release == nullptr ? "" : release->log_tail);
  }
  if (release == nullptr) return {Kind::working, "", "", "", 0};
  if (is_probed(*release) && release->probes_failed >= kTooManyFailedProbes) {
    return failed(
        release->phase,
        release->error.empty() ? fmt::format("{} of the last 5 probes failed", release->probes_failed) : release->error,
        release->log_tail);
  }
  if (app->live == release_id && release->phase == "live") return judge_running(*release, node);
  return {Kind::working, release->phase, "", "", 0};
}

Judgement judge_revert(const Reports& reports, const std::string& app_name, const RolloutNode& node) {
  if (auto lost = judge_lost(reports, node.node)) return *lost;
  if (!reports.observed.contains(node.node)) return {};
  const ObservedApp* app = find_app(reports, node.node, app_name);
  if (node.previous.empty()) {
    const bool gone = app == nullptr || app->live.empty();
    return {gone ? Kind::ready : Kind::working, "", "", "", 0};
  }
  if (app == nullptr) return {};
  const ObservedRelease* release = find_release(*app, node.previous);
  if (release != nullptr && release->phase == "failed") {
    return failed(release->phase, failure_text(*release), release->log_tail);
  }
  const bool back = app->live == node.previous && (release == nullptr || release->phase == "live");
  return {back ? Kind::ready : Kind::working, release == nullptr ? "" : release->phase, "", "", 0};
}

}  // namespace dae::deployer
