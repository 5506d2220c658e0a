#include "base/http_server.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <future>

#include "base/clock.h"
#include "base/error.h"
#include "base/http_connection.h"
#include "base/http_listen.h"
#include "base/log.h"

namespace dae {

namespace {

constexpr int64_t kDestructorGraceMs = 5'000;
constexpr int kAcceptsPerTurn = 64;

ServerOptions complete(ServerOptions options) {
  if (options.loops <= 0) options.loops = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  options.workers = std::max(1, options.workers);
  if (options.spool_dir.empty()) options.spool_dir = env_var("TMPDIR").value_or("/tmp");
  return options;
}

class Server final : public HttpServer {
 public:
  Server(ServerOptions options, std::vector<Route> routes)
      : core_(complete(std::move(options)), std::move(routes)), listener_(listen_on(core_.options)) {
    core_.pool = std::make_unique<WorkerPool>(core_.options.workers);
    for (int i = 0; i < core_.options.loops; ++i) loops_.push_back(std::make_unique<ServerLoop>());
    accept_watch_ = std::make_unique<EventLoop::Watch>(loops_[0]->loop, std::move(listener_.fd),
                                                       [this](Readiness) { accept_some(); });
    accept_watch_->start();
    start_threads();
  }

  ~Server() override {
    drain(kDestructorGraceMs);
    core_.wait_until_empty(-1);  // handlers that ignored the grace still use their connection
    core_.pool->stop();
    for (auto& home : loops_) home->loop.stop();
    for (auto& home : loops_) home->thread.join();
  }

  uint16_t port() const override { return listener_.port; }
  std::string url() const override { return listener_.url; }

  void drain(int64_t grace_ms) override {
    if (!core_.draining.exchange(true)) {
      std::promise<void> stopped;  // later than this no loop gets a connection that it did not have
      loops_[0]->loop.post([&] {
        stop_accepting();
        stopped.set_value();
      });
      stopped.get_future().wait();
      on_all_connections(&Connection::begin_drain);
    }
    if (core_.wait_until_empty(grace_ms)) return;
    log_warn("closing connections that did not end in time", {{"count", std::to_string(core_.connections())}});
    on_all_connections(&Connection::abort);
  }

 private:
  void start_threads() {
    int64_t shortest_ms = std::min(core_.options.header_timeout_ms, core_.options.idle_timeout_ms);
    int64_t tick_ms = std::clamp<int64_t>(shortest_ms / 4, 10, 500);
    // sendfile(2) has no MSG_NOSIGNAL. Blocking SIGPIPE where it is called, instead of ignoring it in the process,
    // keeps the change out of the programs that this one starts.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (auto& home : loops_) {
      home->loop.every(tick_ms, [this, at = home.get()] { tick(*at); });
      home->thread = std::thread([at = home.get()] { at->loop.run(); });
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void tick(ServerLoop& home) {
    int64_t now_ms = SystemClock().monotonic_ms();
    for (auto it = home.connections.begin(); it != home.connections.end();) {
      auto connection = (it++)->second;  // it may remove itself
      connection->check_deadline(now_ms);
    }
    if (&home == loops_[0].get() && accept_paused_) {
      accept_paused_ = false;
      accept_some();
    }
  }

  void on_all_connections(void (Connection::*action)()) {
    for (auto& home : loops_) {
      home->loop.post([at = home.get(), action] {
        for (auto it = at->connections.begin(); it != at->connections.end();) {
          auto connection = (it++)->second;
          (connection.get()->*action)();
        }
      });
    }
  }

  void accept_some() {
    if (!accept_watch_) return;
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      sockaddr_storage peer{};
      socklen_t size = sizeof peer;
      auto* address = reinterpret_cast<sockaddr*>(&peer);
      Fd socket(accept4(accept_watch_->fd(), address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (socket.valid()) {
        welcome(std::move(socket), address);
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        log_error("cannot accept a connection", {{"error", os_error("accept", core_.options.address, errno).what()}});
        accept_paused_ = true;  // the next tick tries again: asking at once would spin
        return;
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        return;
      }
    }
    loops_[0]->loop.post([this] { accept_some(); });
  }

  void welcome(Fd socket, const sockaddr* address) {
    if (core_.connections() >= core_.options.max_connections) {
      static constexpr std::string_view kBusy =
          "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      (void)send(socket.get(), kBusy.data(), kBusy.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      shutdown(socket.get(), SHUT_WR);
      return;
    }
    ServerLoop& home = *loops_[next_loop_++ % loops_.size()];
    try {
      auto connection = std::make_shared<Connection>(core_, home, std::move(socket), peer_name(address));
      home.loop.post([connection] { connection->start(); });
    } catch (const std::exception& error) {
      log_error("cannot take a connection", {{"error", error.what()}});
    }
  }

  void stop_accepting() {
    accept_paused_ = false;
    accept_watch_.reset();
    if (!core_.options.unix_socket.empty()) remove_file(core_.options.unix_socket);
  }

  ServerCore core_;
  Listener listener_;
  std::vector<std::unique_ptr<ServerLoop>> loops_;
  // The three below: thread of the first loop only.
  std::unique_ptr<EventLoop::Watch> accept_watch_;
  size_t next_loop_ = 0;
  bool accept_paused_ = false;
};

}  // namespace

std::unique_ptr<HttpServer> start_http_server(ServerOptions options, std::vector<Route> routes) {
  return std::make_unique<Server>(std::move(options), std::move(routes));
}

}  // namespace dae
