#include "cli/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fs.h"

namespace dae::cli {
namespace {

// The port bound, or 0 when that port is taken.
uint16_t try_bind(uint16_t port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) throw os_error("cannot make a socket", "", errno);
  int yes = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 0;
  if (::listen(fd.get(), 1) != 0) return 0;  // with SO_REUSEADDR only listen() tells about a listener
  socklen_t length = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

}  // namespace

void require_free_port(int64_t port, const std::string& hint) {
  if (port < 1 || port > 65535)
    throw Error(ErrorKind::usage, "a port is a number from 1 to 65535", std::to_string(port));
  if (try_bind(static_cast<uint16_t>(port)) == 0)
    throw Error(ErrorKind::refused, "the port is in use", "127.0.0.1:" + std::to_string(port), hint);
}

uint16_t free_port(uint16_t preferred) {
  if (uint16_t port = try_bind(preferred)) return port;
  return try_bind(0);
}

}  // namespace dae::cli
