#include "deployer/agent_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/error.h"

namespace dae::deployer {
namespace {

constexpr int64_t kQuickIntervalMs = 50;
constexpr int64_t kShortestIntervalMs = 50;
constexpr size_t kWindow = 5;

}  // namespace

PendingProbe::PendingProbe(Transport& transport, const Path& socket, const std::string& host, const std::string& path,
                           int64_t timeout_ms)
    : path_(path) {
  HttpRequest request;
  request.url = "http://" + host + (path.starts_with('/') ? "" : "/") + path;
  request.unix_socket = socket.string();
  request.timeout_ms = timeout_ms;
  request.retries = 0;
  request.follow_redirects = false;
  request.headers.set("User-Agent", "dae-probe");
  request.on_body = [](std::string_view) {};  // only the status matters
  future_ = transport.send_async(std::move(request));
}

std::optional<ProbeResult> PendingProbe::poll() {
  if (future_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return std::nullopt;
  ProbeResult result;
  try {
    result.status = future_.get().status;
    result.answered = true;
    if (result.status < 200 || result.status >= 400) {
      result.failure = fmt::format("GET {} answered {}", path_, result.status);
    }
  } catch (const Error& error) {
    result.failure =
        fmt::format("GET {} got no answer: {}", path_, error.cause().empty() ? error.message() : error.cause());
  }
  return result;
}

void ProbeHistory::add(const ProbeResult& result) {
  if (!result.failure) {
    ++passes_;
    wrong_answers_ = 0;
    has_passed_ = true;
  } else {
    passes_ = 0;
    last_failure_ = *result.failure;
    wrong_answers_ = result.answered && result.status != 503 ? wrong_answers_ + 1 : 0;
  }
  if (!has_passed_) return;
  recent_.push_back(!result.failure);
  if (recent_.size() > kWindow) recent_.pop_front();
}

int ProbeHistory::recent_failures() const {
  return static_cast<int>(std::count(recent_.begin(), recent_.end(), false));
}

Prober::Prober(Transport& transport, Path socket, std::string host, mirror::HealthCheck health, bool eager)
    : transport_(transport),
      socket_(std::move(socket)),
      host_(std::move(host)),
      health_(std::move(health)),
      eager_(eager) {}

void Prober::tick(int64_t now_ms) {
  if (pending_) {
    const auto result = pending_->poll();
    if (!result) return;
    pending_.reset();
    history_.add(*result);
    const bool hurry = eager_ ? history_.passes() < health_.passes : !history_.has_passed() && !result->answered;
    next_ms_ = now_ms + (hurry ? kQuickIntervalMs : std::max(kShortestIntervalMs, health_.interval_ms));
  }
  if (now_ms < next_ms_) return;
  pending_.emplace(transport_, socket_, host_, health_.path, health_.timeout_ms);
}

void Prober::reset() {
  history_.reset();
  pending_.reset();
  next_ms_ = 0;
}

}  // namespace dae::deployer
