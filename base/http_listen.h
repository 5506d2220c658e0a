#pragma once
// A listening socket from ServerOptions. Internal to the HTTP server.
#include <cstdint>
#include <string>

#include "base/fs.h"
#include "base/http_server.h"

struct sockaddr;

namespace dae {

struct Listener {
  Fd fd;  // non-blocking
  uint16_t port = 0;
  std::string url;
};
// Throws Error refused when the address is taken, usage when it is none.
Listener listen_on(const ServerOptions& options);
// "127.0.0.1:54321", "[::1]:54321", "unix".
std::string peer_name(const sockaddr* address);

}  // namespace dae
