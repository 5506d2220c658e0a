// Three threads: one waits for news of what is desired, one reports (both may be slow or fail without harm), and the
// loop, which alone touches the node.
#include "deployer/agent.h"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "deployer/agent_reconciler.h"
#include "deployer/control.h"
#include "resolver/install/interpreter.h"

namespace dae::deployer {
namespace {

constexpr int64_t kPollMs = 20'000;  // below the client's limit of 30 s without a byte
constexpr int64_t kRetryMs = 1000;
constexpr int64_t kReportMs = 3000;
constexpr int64_t kBusyTickMs = 50, kIdleTickMs = 250;

// "linux_x86_64" with "glibc 2.36" -> "manylinux_2_36_x86_64" (PEP 600, PEP 656)
std::string platform_of(const resolver::Interpreter& python) {
  const auto words = split(python.libc, ' ');
  const std::string prefix = "linux_";
  if (words.size() != 2 || !python.platform.starts_with(prefix)) return python.platform;
  const char* family = words[0] == "musl" ? "musllinux_" : "manylinux_";
  return family + replace_all(words[1], ".", "_") + "_" + python.platform.substr(prefix.size());
}

Node describe_node(const AgentOptions& options, ProcessRunner& runner) {
  Node node;
  node.name = options.node;
  node.group = options.group;
  node.gateway_url = options.gateway_url;
  const auto python = resolver::find_interpreter(runner, options.python, resolver::SpecifierSet());
  node.python = python.version;
  node.platform = platform_of(python);
  return node;
}

// What the threads hand to each other.
struct Mailbox {
  std::mutex mutex;
  std::condition_variable wake_loop, wake_reporter;
  bool stop = false;
  std::optional<Desired> news;
  std::optional<Observed> report;
  std::vector<std::pair<std::string, std::string>> logs;  // request id, text

  void wait(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, int64_t duration_ms) {
    if (!stop) wake.wait_for(lock, std::chrono::milliseconds(duration_ms));
  }
};

// Lets go of a request that is under way when the agent stops: a long poll must not hold up the end.
class StoppableTransport final : public Transport {
 public:
  StoppableTransport(Transport& inner, Mailbox& box) : inner_(inner), box_(box) {}

  HttpResponse send(HttpRequest request) override {
    auto answer = inner_.send_async(std::move(request));
    while (answer.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
      std::lock_guard lock(box_.mutex);
      if (box_.stop) throw Error(ErrorKind::interrupted, "the agent is stopping");
    }
    return answer.get();
  }
  std::future<HttpResponse> send_async(HttpRequest request) override { return inner_.send_async(std::move(request)); }

 private:
  Transport& inner_;
  Mailbox& box_;
};

// Says a failure once, not every second while the control plane is away.
class Complaint {
 public:
  void fail(const std::string& what, const Error& error) {
    if (!failing_) log_warn(what, {{"error", error.what()}});
    failing_ = true;
  }
  void succeed(const std::string& what) {
    if (failing_) log_info(what);
    failing_ = false;
  }

 private:
  bool failing_ = false;
};

void poll_desired(Mailbox& box, const Node& node, Transport& transport, const std::string& url) {
  ControlClient control(transport, url);
  Complaint complaint;
  bool registered = false;
  int64_t revision = 0;
  for (std::unique_lock lock(box.mutex); !box.stop;) {
    lock.unlock();
    std::optional<Desired> news;
    bool failed = false;
    try {
      if (!registered) control.register_node(node);
      registered = true;
      news = control.desired(node.name, revision, kPollMs);
      complaint.succeed("the control plane answers again");
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) return;
      complaint.fail("the control plane does not answer", error);
      registered = false;  // it may have been replaced by one that does not know us
      revision = 0;
      failed = true;
    }
    lock.lock();
    if (news) {
      revision = news->revision;
      box.news = std::move(news);
      box.wake_loop.notify_one();
    }
    if (failed) box.wait(lock, box.wake_reporter, kRetryMs);
  }
}

void send_reports(Mailbox& box, const std::string& node, Transport& transport, const std::string& url) {
  ControlClient control(transport, url);
  for (std::unique_lock lock(box.mutex); !box.stop;) {
    if (!box.report && box.logs.empty()) {
      box.wait(lock, box.wake_reporter, kRetryMs);
      continue;
    }
    const auto report = std::exchange(box.report, std::nullopt);
    const auto logs = std::exchange(box.logs, {});
    lock.unlock();
    bool failed = false;
    try {
      if (report) control.report(*report);
      for (const auto& [request, text] : logs) control.send_log(node, request, text);
    } catch (const Error& error) {
      log_debug("cannot report", {{"error", error.what()}});  // the polling thread complains
      failed = true;
    }
    lock.lock();
    if (failed) box.wait(lock, box.wake_reporter, kRetryMs);
  }
}

class Loop {
 public:
  Loop(Mailbox& box, NodeReconciler& node, Clock& clock) : box_(box), node_(node), clock_(clock) {}

  void run() {
    for (std::unique_lock lock(box_.mutex); !StopSignal::requested();) {
      const auto news = std::exchange(box_.news, std::nullopt);
      lock.unlock();
      if (news) take(*news);
      node_.tick();
      hand_over_report();
      const int64_t pause_ms = node_.busy() ? kBusyTickMs : kIdleTickMs;
      lock.lock();
      if (!box_.news) box_.wait(lock, box_.wake_loop, pause_ms);
    }
  }

 private:
  void take(const Desired& news) {
    try {
      node_.apply(news);
    } catch (const Error& error) {
      log_error("cannot take what is desired", {{"error", error.what()}});
    }
    std::set<std::string> open;
    for (const LogRequest& request : news.log_requests) {
      open.insert(request.id);
      if (answered_.contains(request.id)) continue;
      std::string text = node_.log_text(request.app, request.instance, request.lines);
      std::lock_guard lock(box_.mutex);
      box_.logs.emplace_back(request.id, std::move(text));
      box_.wake_reporter.notify_one();
    }
    answered_ = std::move(open);
  }

  void hand_over_report() {
    Observed now = node_.observed();
    const int64_t now_ms = clock_.monotonic_ms();
    Observed timeless = now;
    timeless.time_ms = 0;
    for (auto& [app, observed] : timeless.apps) {
      for (ObservedRelease& release : observed.releases) {
        // These grow all the time and are no news by themselves.
        release.start_ms = release.fetched_bytes = 0;
        release.probes_passed = std::min<int64_t>(release.probes_passed, 10);
      }
    }
    std::string text = canonical_json(to_value(timeless));
    if (text == last_text_ && now_ms - last_ms_ < kReportMs) return;
    last_text_ = std::move(text);
    last_ms_ = now_ms;
    std::lock_guard lock(box_.mutex);
    box_.report = std::move(now);
    box_.wake_reporter.notify_one();
  }

  Mailbox& box_;
  NodeReconciler& node_;
  Clock& clock_;
  std::set<std::string> answered_;
  std::string last_text_;
  int64_t last_ms_ = 0;
};

}  // namespace

void run_agent(const AgentOptions& options, bool stop_apps, Transport& transport, Clock& clock, ProcessRunner& runner,
               Supervisor& supervisor, Gateway& gateway) {
  const Node described = describe_node(options, runner);
  const auto preparer = make_registry_preparer(transport, runner, options.mirror, options.python);
  NodeReconciler node(options, transport, clock, supervisor, gateway, *preparer);
  node.start_gateway();
  log_info("agent started", {{"node", options.node}, {"group", options.group}, {"gateway", options.gateway_url}});

  Mailbox box;
  StoppableTransport stoppable(transport, box);
  std::thread poller([&] { poll_desired(box, described, stoppable, options.control); });
  std::thread reporter([&] { send_reports(box, options.node, stoppable, options.control); });
  const auto end_threads = [&] {
    {
      std::lock_guard lock(box.mutex);
      box.stop = true;
      box.wake_reporter.notify_all();
    }
    poller.join();
    reporter.join();
  };
  try {
    Loop(box, node, clock).run();
  } catch (...) {
    end_threads();
    throw;
  }
  end_threads();
  if (stop_apps) {
    gateway.stop();  // first: what it has accepted is still answered
    node.stop_apps();
  }
  log_info("agent stopped", {{"node", options.node}, {"apps", stop_apps ? "stopped" : "left running"}});
}

}  // namespace dae::deployer
