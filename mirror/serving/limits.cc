#include "mirror/serving/limits.h"

#include <sys/resource.h>

#include <algorithm>

#include "base/log.h"

namespace dae::mirror {
namespace {

// Beside the connections: answers that are kept open, files that are sent, fetches, the catalog.
constexpr rlim_t kOtherFiles = 1024;

}  // namespace

uint64_t raise_open_files(int connections) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  // Each connection may have a file of its own that it is sent.
  const rlim_t wanted = 2 * static_cast<rlim_t>(connections) + kOtherFiles;
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = std::min(wanted, limit.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur < wanted) {
    log_warn("this process may not open as many files as its connections could need",
             {{"may", std::to_string(limit.rlim_cur)},
              {"could need", std::to_string(wanted)},
              {"hint", "raise the hard limit (LimitNOFILE), or lower `limits.connections` of mirror.yaml"}});
  }
  return limit.rlim_cur;
}

MirrorConfig as_read_only(MirrorConfig config) {
  for (IndexConfig& index : config.indexes) index.frozen = true;
  return config;
}

void refuse_writing(std::vector<Route>& routes) {
  for (Route& route : routes) {
    if (route.method == "GET") continue;
    route.spool_body = false;
    route.admit = [](const ServerRequest&) {
      ServerResponse response =
          ServerResponse::problem(405, "this mirror is read-only", "", "`read_only` of its mirror.yaml says so");
      response.headers.set("Allow", "GET, HEAD");
      return std::optional(std::move(response));
    };
  }
}

}  // namespace dae::mirror
