#pragma once
// How an instance of an app is started: one answer for `dae serve` and for every node.
#include <map>
#include <string>
#include <vector>

#include "base/fs.h"
#include "mirror/artifact/artifact.h"

namespace dae::deployer {

struct Launch {
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;
};
// `bind`: "unix:/run/…sock" or "127.0.0.1:8000". web with `wsgi`: gunicorn of the environment; with `command`: that,
// with $DAE_SOCKET or $PORT set. daemon: `command`. Throws Error bad_input naming the instance when it has neither.
Launch launch_instance(const mirror::AppConfig& app, const mirror::Instance& instance, const Path& env_dir,
                       const Path& source_dir, const std::string& bind, bool reload);

}  // namespace dae::deployer
