// A TCP proxy that adds a round trip: half of it each way, and one whole for the handshake that a real distance would
// cost. Knows nothing of HTTP. One thread, so that it costs little on a machine that also runs what is measured.
//
//   latency_proxy --to PORT [--round-trip-ms 20] [--port 0]
//
// Prints the port it listens on. On SIGUSR1 prints "connections N bytes N" since the last one. Ends with its parent.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kReadBytes = 256 << 10;
// What may be on the way in one direction: at 10 ms this is 1.6 GB/s, more than the loopback serves.
constexpr size_t kOnTheWayBytes = 16 << 20;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

struct Piece {
  Clock::time_point due;
  std::string bytes;
  size_t sent = 0;
};

// What one side reads and the other is to be written.
struct Direction {
  int from = -1, to = -1;
  std::deque<Piece> on_the_way;
  size_t bytes = 0;
  bool from_ended = false, told = false;
  Clock::time_point not_before;  // end of the handshake
  bool idle() const { return from_ended && told; }
};

struct Connection {
  Direction up, down;
  bool broken = false;
};

class Proxy {
 public:
  Proxy(uint16_t to, uint16_t port, std::chrono::microseconds round_trip) : to_(to), round_trip_(round_trip) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    listen_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listen_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = loopback(port);
    if (bind(listen_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("bind");
    if (listen(listen_, 1024) != 0) die("listen");
    socklen_t size = sizeof address;
    getsockname(listen_, reinterpret_cast<sockaddr*>(&address), &size);
    timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    for (const int fd : {listen_, timer_, signals_}) watch(fd, EPOLLIN, EPOLL_CTL_ADD);
    std::printf("%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
  }

  [[noreturn]] void run() {
    std::vector<epoll_event> events(256);
    while (true) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) handle(events[static_cast<size_t>(i)]);
      deliver_due();
      drop_ended();
      arm();
    }
  }

 private:
  static sockaddr_in loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  void watch(int fd, uint32_t what, int how) {
    epoll_event event{};
    event.events = what;
    event.data.fd = fd;
    epoll_ctl(epoll_, how, fd, &event);
  }

  void handle(const epoll_event& event) {
    const int fd = event.data.fd;
    if (fd == listen_) return accept_all();
    if (fd == signals_) return report();
    if (fd == timer_) {
      uint64_t ticks = 0;
      if (read(timer_, &ticks, sizeof ticks) < 0 && errno != EAGAIN) die("timer");
      return;
    }
    const auto found = by_fd_.find(fd);
    if (found == by_fd_.end()) return;
    Connection& connection = *found->second;
    Direction& reads = connection.up.from == fd ? connection.up : connection.down;
    Direction& writes = connection.up.from == fd ? connection.down : connection.up;
    // Edge-triggered: what is refused now because too much is on the way is asked again when something left.
    if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) receive(connection, reads);
    if ((event.events & EPOLLOUT) != 0) send_due(connection, writes);
  }

  void accept_all() {
    while (true) {
      const int client = accept4(listen_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (client < 0) return;
      const int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      const int on = 1;
      setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      const sockaddr_in address = loopback(to_);
      connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address);
      auto connection = std::make_shared<Connection>();
      connection->up = {.from = client, .to = server, .on_the_way = {}, .not_before = Clock::now() + round_trip_};
      connection->down = {.from = server, .to = client, .on_the_way = {}, .not_before = {}};
      by_fd_[client] = by_fd_[server] = connection;
      for (const int fd : {client, server}) watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, EPOLL_CTL_ADD);
      connections_ += 1;
    }
  }

  void receive(Connection& connection, Direction& direction) {
    while (!direction.from_ended && direction.bytes < kOnTheWayBytes) {
      buffer_.resize(kReadBytes);
      const ssize_t size = read(direction.from, buffer_.data(), buffer_.size());
      if (size < 0) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN) connection.broken = true;
        break;
      }
      const Clock::time_point due = std::max(Clock::now(), direction.not_before) + round_trip_ / 2;
      direction.on_the_way.push_back({due, buffer_.substr(0, static_cast<size_t>(size))});
      direction.bytes += static_cast<size_t>(size);
      bytes_ += static_cast<uint64_t>(size);
      if (size == 0) direction.from_ended = true;  // an empty piece carries the end
    }
    if (connection.broken) broken_.insert(direction.from);
    if (!direction.on_the_way.empty()) busy_.insert(direction.from);
  }

  void send_due(Connection& connection, Direction& direction) {
    const Clock::time_point now = Clock::now();
    const bool was_full = direction.bytes >= kOnTheWayBytes;
    while (!direction.on_the_way.empty() && direction.on_the_way.front().due <= now) {
      Piece& piece = direction.on_the_way.front();
      if (piece.bytes.empty()) {
        shutdown(direction.to, SHUT_WR);
        direction.told = true;
      } else {
        const ssize_t size =
            send(direction.to, piece.bytes.data() + piece.sent, piece.bytes.size() - piece.sent, MSG_NOSIGNAL);
        if (size < 0) {
          if (errno != EAGAIN && errno != EINPROGRESS && errno != ENOTCONN) {
            connection.broken = true;
            broken_.insert(direction.from);
          } else {
            stuck_.insert(direction.from);  // EPOLLOUT wakes it
          }
          return;
        }
        piece.sent += static_cast<size_t>(size);
        direction.bytes -= static_cast<size_t>(size);
        if (piece.sent < piece.bytes.size()) continue;
      }
      direction.on_the_way.pop_front();
    }
    stuck_.erase(direction.from);
    if (direction.on_the_way.empty()) busy_.erase(direction.from);
    if (was_full) receive(connection, direction);
    if (connection.up.idle() && connection.down.idle()) broken_.insert(direction.from);
  }

  Direction& direction_from(int fd) {
    Connection& connection = *by_fd_.at(fd);
    return connection.up.from == fd ? connection.up : connection.down;
  }

  void deliver_due() {
    const std::vector<int> busy(busy_.begin(), busy_.end());
    for (const int fd : busy) {
      if (by_fd_.contains(fd)) send_due(*by_fd_.at(fd), direction_from(fd));
    }
  }

  void drop_ended() {
    for (const int fd : std::vector<int>(broken_.begin(), broken_.end())) {
      const auto found = by_fd_.find(fd);
      if (found == by_fd_.end()) continue;
      const std::shared_ptr<Connection> connection = found->second;
      for (const int side : {connection->up.from, connection->down.from}) {
        busy_.erase(side);
        stuck_.erase(side);
        by_fd_.erase(side);
        close(side);
      }
    }
    broken_.clear();
  }

  void arm() {
    itimerspec when{};
    Clock::time_point next = Clock::time_point::max();
    for (const int fd : busy_) {
      if (!stuck_.contains(fd)) next = std::min(next, direction_from(fd).on_the_way.front().due);
    }
    if (next != Clock::time_point::max()) {
      const auto wait =
          std::max<int64_t>(1000, std::chrono::duration_cast<std::chrono::nanoseconds>(next - Clock::now()).count());
      when.it_value.tv_sec = wait / 1'000'000'000;
      when.it_value.tv_nsec = wait % 1'000'000'000;
    }
    timerfd_settime(timer_, 0, &when, nullptr);
  }

  void report() {
    signalfd_siginfo info{};
    if (read(signals_, &info, sizeof info) < 0) return;
    std::printf("connections %llu bytes %llu\n", connections_, static_cast<unsigned long long>(bytes_));
    std::fflush(stdout);
    connections_ = 0;
    bytes_ = 0;
  }

  const uint16_t to_;
  const std::chrono::microseconds round_trip_;
  int epoll_ = -1, listen_ = -1, timer_ = -1, signals_ = -1;
  std::unordered_map<int, std::shared_ptr<Connection>> by_fd_;  // both sides
  std::set<int> busy_, stuck_, broken_;                         // reading side of a direction
  std::string buffer_;
  unsigned long long connections_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  long to = 0, port = 0;
  double round_trip_ms = 20;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view key = argv[i];
    if (key == "--to") to = std::strtol(argv[i + 1], nullptr, 10);
    if (key == "--port") port = std::strtol(argv[i + 1], nullptr, 10);
    if (key == "--round-trip-ms") round_trip_ms = std::strtod(argv[i + 1], nullptr);
  }
  if (to <= 0 || to > 65535 || port < 0 || port > 65535) {
    std::fputs("usage: latency_proxy --to PORT [--round-trip-ms 20] [--port 0]\n", stderr);
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  Proxy(static_cast<uint16_t>(to), static_cast<uint16_t>(port),
        std::chrono::microseconds(static_cast<int64_t>(round_trip_ms * 1000)))
      .run();
}
