#include "base/http_listen.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/env.h"
#include "base/error.h"

namespace dae {

namespace {

constexpr int kBacklog = 1024;

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
  sockaddr_un local;
};

Fd open_socket(int family, const std::string& subject) {
  Fd fd(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) throw os_error("cannot open a socket", subject, errno);
  return fd;
}

Error cannot_listen(const std::string& subject, int errno_value) {
  if (errno_value == EADDRINUSE) {
    return Error(ErrorKind::refused, "cannot listen", subject)
        .because("the address is in use")
        .with_hint("another process holds it (`ss -ltnp` names it): stop that one or choose another port");
  }
  Error error = os_error("cannot listen", subject, errno_value);
  if (errno_value == EACCES) error.with_hint("ports below 1024 need a privilege: choose a higher one");
  if (errno_value == EADDRNOTAVAIL) error.with_hint("the address does not belong to this machine");
  return error;
}

void bind_and_listen(int fd, const sockaddr* address, socklen_t size, const std::string& subject) {
  if (bind(fd, address, size) != 0 || listen(fd, kBacklog) != 0) throw cannot_listen(subject, errno);
}

Listener listen_unix(const Path& path) {
  SocketAddress address{};
  address.local.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.local.sun_path) {
    throw Error(ErrorKind::usage, "cannot listen", path)
        .because(fmt::format("a socket's path has at most {} bytes", sizeof address.local.sun_path - 1));
  }
  memcpy(address.local.sun_path, path.c_str(), path.native().size());
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) {
    // A socket nobody listens on is left over from a crash; one that answers has an owner.
    Fd probe = open_socket(AF_UNIX, path);
    if (connect(probe.get(), &address.any, sizeof address.local) == 0 || errno == EAGAIN) {
      throw cannot_listen(path, EADDRINUSE);
    }
    remove_file(path);
  }
  Listener listener;
  listener.fd = open_socket(AF_UNIX, path);
  bind_and_listen(listener.fd.get(), &address.any, sizeof address.local, path);
  listener.url = "http://localhost";
  return listener;
}

Listener listen_tcp(std::string host, uint16_t port) {
  if (host == "localhost") host = "127.0.0.1";
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  SocketAddress address{};
  bool v6 = host.find(':') != std::string::npos;
  auto host_and_port = [v6](const std::string& name, uint16_t number) {
    return v6 ? fmt::format("[{}]:{}", name, number) : fmt::format("{}:{}", name, number);
  };
  std::string subject = host_and_port(host, port);
  socklen_t size = v6 ? sizeof address.v6 : sizeof address.v4;
  address.any.sa_family = v6 ? AF_INET6 : AF_INET;
  (v6 ? address.v6.sin6_port : address.v4.sin_port) = htons(port);
  void* into = v6 ? static_cast<void*>(&address.v6.sin6_addr) : static_cast<void*>(&address.v4.sin_addr);
  if (inet_pton(address.any.sa_family, host.c_str(), into) != 1) {
    throw Error(ErrorKind::usage, "cannot listen", subject)
        .because("not an IP address")
        .with_hint("use 127.0.0.1 for this machine only, 0.0.0.0 for every interface");
  }
  Listener listener;
  listener.fd = open_socket(address.any.sa_family, subject);
  int on = 1;
  setsockopt(listener.fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted sockets inherit it
  bind_and_listen(listener.fd.get(), &address.any, size, subject);
  if (getsockname(listener.fd.get(), &address.any, &size) != 0) throw cannot_listen(subject, errno);
  listener.port = ntohs(v6 ? address.v6.sin6_port : address.v4.sin_port);
  // "Every interface" is no address to connect to.
  std::string reachable = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host;
  listener.url = "http://" + host_and_port(reachable, listener.port);
  return listener;
}

// sd_listen_fds(3): descriptors from 3 on, if they are meant for this process.
bool has_passed_socket() {
  if (env_var("LISTEN_PID") != std::to_string(getpid())) return false;
  if (env_var("LISTEN_FDS") == "1") return true;
  throw Error(ErrorKind::usage, "cannot listen", "LISTEN_FDS").because("one socket is wanted, not several");
}

Listener take_passed_socket() {
  static constexpr int kFirstPassed = 3;
  Listener listener;
  SocketAddress address{};
  socklen_t size = sizeof address;
  int listens = 0, on = 1;
  socklen_t flag = sizeof listens;
  if (getsockopt(kFirstPassed, SOL_SOCKET, SO_ACCEPTCONN, &listens, &flag) != 0 || listens == 0) {
    throw Error(ErrorKind::usage, "cannot listen", "LISTEN_FDS").because("descriptor 3 is no socket that listens");
  }
  listener.fd.reset(fcntl(kFirstPassed, F_DUPFD_CLOEXEC, 0));
  if (!listener.fd.valid() || fcntl(listener.fd.get(), F_SETFL, O_NONBLOCK) != 0 ||
      getsockname(listener.fd.get(), &address.any, &size) != 0) {
    throw cannot_listen("LISTEN_FDS", errno);
  }
  close(kFirstPassed);
  listener.url = "http://localhost";
  if (address.any.sa_family == AF_UNIX) return listener;
  setsockopt(listener.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  std::string name = peer_name(&address.any);
  for (const auto& [every, reachable] : {std::pair("0.0.0.0:", "127.0.0.1:"), std::pair("[::]:", "[::1]:")}) {
    if (name.starts_with(every)) name = reachable + name.substr(std::string_view(every).size());
  }
  listener.url = "http://" + name;
  listener.port = ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
  return listener;
}

}  // namespace

Listener listen_on(const ServerOptions& options) {
  if (options.passed_socket && has_passed_socket()) return take_passed_socket();
  return options.unix_socket.empty() ? listen_tcp(options.address, options.port) : listen_unix(options.unix_socket);
}

std::string peer_name(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return fmt::format("{}:{}", text, ntohs(v4->sin_port));
  }
  if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    return fmt::format("[{}]:{}", text, ntohs(v6->sin6_port));
  }
  return "unix";
}

}  // namespace dae
