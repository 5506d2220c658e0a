#pragma once
// The gateway of a node: nginx in front of unix sockets. A switch is one rename of the symbolic link that the upstream
// names, never a reload; the configuration is generated from share/nginx/ and reloaded only when routes change.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/process.h"

namespace dae::deployer {

struct GatewayApp {
  std::string app;
  Path socket_link;                                        // /run/dae/<app>/web.sock
  std::vector<std::string> hosts;                          // empty: the default server
  std::vector<std::pair<std::string, Path>> static_files;  // url prefix -> directory (through `current`)
  // Where to look for a file that is not there: pages of the release before still name their own files.
  std::map<std::string, Path> older_static_files;
};

class Gateway {
 public:
  virtual ~Gateway() = default;
  virtual void apply(const std::vector<GatewayApp>& apps) = 0;  // test, write, start or reload when it differs
  virtual bool running() = 0;
  virtual void stop() = 0;  // graceful
};

struct NginxOptions {
  Path root;       // conf/, logs/, temp/, nginx.pid live here
  Path templates;  // share/nginx
  std::string address = "127.0.0.1";
  uint16_t port = 0;
};
// Throws not_found with "apt install nginx-light" as hint when nginx is missing; refused when the port is in use.
std::unique_ptr<Gateway> make_nginx_gateway(ProcessRunner& runner, const NginxOptions& options);

}  // namespace dae::deployer
