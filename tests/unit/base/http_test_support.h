#pragma once
// Raw sockets for the HTTP tests: a client that says exactly what it is told, and a server that answers each connection
// with the next of a list of byte strings and hangs up.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/fs.h"
#include "base/http_server.h"

namespace dae::test {

inline sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

class RawClient {
 public:
  explicit RawClient(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(port);
    connected_ = connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  bool connected() const { return connected_; }
  void say(std::string_view bytes) const {
    while (!bytes.empty()) {
      ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  // What arrives until `until` is in it, the server closes, or nothing came for a while.
  std::string hear(std::string_view until = "", int patience_ms = 3000) {
    std::string text;
    while (until.empty() || text.find(until) == std::string::npos) {
      pollfd ready{fd_.get(), POLLIN, 0};
      if (poll(&ready, 1, patience_ms) <= 0) break;
      char buffer[16384];
      ssize_t got = recv(fd_.get(), buffer, sizeof buffer, 0);
      if (got <= 0) {
        closed_ = true;
        break;
      }
      text.append(buffer, static_cast<size_t>(got));
    }
    return text;
  }
  std::string ask(std::string_view bytes) {
    say(bytes);
    return hear();
  }
  bool closed() const { return closed_; }
  // The other side has reset the connection, or closed it for both directions.
  bool broken() const {
    pollfd state{fd_.get(), 0, 0};
    return poll(&state, 1, 0) > 0 && (state.revents & (POLLERR | POLLHUP)) != 0;
  }
  void hang_up() { fd_.reset(); }

 private:
  Fd fd_;
  bool connected_ = false, closed_ = false;
};

class RawServer {
 public:
  explicit RawServer(std::vector<std::string> answers) : answers_(std::move(answers)) {
    fd_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd_.get(), 16) != 0) return;
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~RawServer() {
    shutdown(fd_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string url(std::string_view path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  std::vector<std::string> requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void run() {
    for (const std::string& answer : answers_) {
      Fd peer(accept(fd_.get(), nullptr, nullptr));
      if (!peer.valid()) return;
      std::string request;
      char buffer[16384];
      while (request.find("\r\n\r\n") == std::string::npos) {
        ssize_t got = recv(peer.get(), buffer, sizeof buffer, 0);
        if (got <= 0) break;
        request.append(buffer, static_cast<size_t>(got));
      }
      {
        std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      (void)!send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      shutdown(peer.get(), SHUT_WR);
      while (recv(peer.get(), buffer, sizeof buffer, 0) > 0) {
      }
    }
  }

  std::vector<std::string> answers_, requests_;
  mutable std::mutex mutex_;
  Fd fd_;
  uint16_t port_ = 0;
  std::thread thread_;
};

// Few threads: the tests start many servers.
inline ServerOptions small_server() {
  ServerOptions options;
  options.loops = 2;
  options.workers = 4;
  return options;
}

}  // namespace dae::test
