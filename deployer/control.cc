#include "deployer/control.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/hash.h"
#include "base/log.h"
#include "base/value.h"
#include "deployer/control_api.h"
#include "deployer/control_txn.h"

namespace dae::deployer {
namespace {

constexpr int64_t kLongestRestMs = 20;

// Calls tick() when something happened or is due.
class Loop {
 public:
  Loop(ControlCore& core, Clock& clock) : core_(core), clock_(clock), thread_([this] { run(); }) {}
  ~Loop() { stop(); }

  void wake() {
    std::lock_guard lock(mutex_);
    pending_ = true;
    woken_.notify_all();
  }

  void stop() {
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
      woken_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!stopped_) {
      pending_ = false;
      lock.unlock();
      const int64_t started_ms = clock_.monotonic_ms();
      const int64_t pause_ms = tick();
      const int64_t busy_ms = std::min(clock_.monotonic_ms() - started_ms, kLongestRestMs);
      lock.lock();
      woken_.wait_for(lock, std::chrono::milliseconds(pause_ms), [&] { return pending_ || stopped_; });
      // A thousand nodes report all the time: what comes in while we rest is looked at in one go.
      if (busy_ms > 0) woken_.wait_for(lock, std::chrono::milliseconds(busy_ms), [&] { return stopped_; });
    }
  }

  int64_t tick() {
    try {
      return std::clamp<int64_t>(core_.tick() - clock_.wall_ms(), 1, 1000);
    } catch (const std::exception& error) {
      log_error("the rollout loop cannot write its state", {{"error", error.what()}});
      return 1000;
    }
  }

  ControlCore& core_;
  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable woken_;
  bool pending_ = false, stopped_ = false;
  std::thread thread_;
};

// A new state gets a random name. Nodes tell by it a state that was lost and begun anew from the one they know.
std::unique_ptr<StateStore> open_named_store(const Path& file) {
  auto store = open_sqlite_store(file);
  if (!store->get(kStoreIdKey))
    store->txn({{kStoreIdKey, 0}}, {{kStoreIdKey, canonical_json(Value::object({{"id", random_hex(8)}}))}});
  return store;
}

class HttpControl final : public Control {
 public:
  HttpControl(const ControlOptions& options, Transport& transport, Clock& clock)
      : store_(open_named_store(options.state_file)),
        core_(*store_, clock, options.knobs),
        api_({core_, *store_, clock, transport, options.mirror, std::max(1, options.workers * 3 / 4),
              [this] { loop_.wake(); }}),
        loop_(core_, clock),
        server_(start_http_server(server_options(options), api_.routes())) {}

  ~HttpControl() override { drain(0); }

  std::string url() const override { return server_->url(); }

  void drain(int64_t grace_ms) override {
    api_.stop();
    server_->drain(grace_ms);
    loop_.stop();
  }

 private:
  static ServerOptions server_options(const ControlOptions& options) {
    ServerOptions out;
    out.address = options.address;
    out.port = options.port;
    out.workers = std::max(4, options.workers);
    out.server_name = "dae-control";
    return out;
  }

  std::unique_ptr<StateStore> store_;
  ControlCore core_;
  ControlApi api_;
  Loop loop_;
  std::unique_ptr<HttpServer> server_;  // last: requests end before what they use does
};

}  // namespace

std::unique_ptr<Control> start_control(const ControlOptions& options, Transport& transport, Clock& clock) {
  return std::make_unique<HttpControl>(options, transport, clock);
}

}  // namespace dae::deployer
