// Serves a folder as a simple index: simple/<name>/index.json and files/<name>, with ranges. For measurements: a
// server in Python would be what is measured.
//
//   static_index FOLDER [--port 0]
//
// Prints its URL. GET /count answers {"pages": n, "files": n, "metadata": n, "missing": n, "bytes": n} since it was
// asked last.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/http_server.h"

namespace {

struct Counts {
  std::atomic<uint64_t> pages{0}, files{0}, metadata{0}, missing{0}, bytes{0};
};

std::string take(std::atomic<uint64_t>& count) {
  return std::to_string(count.exchange(0));
}

dae::ServerResponse report(Counts& counts) {
  return dae::ServerResponse::json(200, R"({"pages":)" + take(counts.pages) + R"(,"files":)" + take(counts.files) +
                                            R"(,"metadata":)" + take(counts.metadata) + R"(,"missing":)" +
                                            take(counts.missing) + R"(,"bytes":)" + take(counts.bytes) + "}");
}

dae::ServerResponse serve(const dae::Path& file, const char* type, const char* caching) {
  if (!dae::exists(file)) return dae::ServerResponse::not_found();
  dae::ServerResponse response;
  response.file = file;
  response.headers.set("Content-Type", type);
  response.headers.set("Cache-Control", caching);
  return response;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 4) {
    std::fputs("usage: static_index FOLDER [--port 0]\n", stderr);
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const dae::Path root = argv[1];
  Counts counts;
  dae::ServerOptions options;
  if (argc == 4) options.port = static_cast<uint16_t>(std::strtol(argv[3], nullptr, 10));
  options.on_access = [&counts](const dae::ServerRequest& request, int status, uint64_t bytes, int64_t) {
    if (request.path == "/count") return;
    (status == 404                            ? counts.missing
     : request.path.rfind("/simple/", 0) == 0 ? counts.pages
     : request.path.ends_with(".metadata")    ? counts.metadata
                                              : counts.files) += 1;
    counts.bytes += bytes;
  };
  std::vector<dae::Route> routes;
  routes.push_back({"GET", "/count", [&counts](const dae::ServerRequest&) { return report(counts); }});
  routes.push_back({"GET", "/simple/{}/", [&root](const dae::ServerRequest& request) {
                      return serve(root / "simple" / request.captures.at(0) / "index.json",
                                   "application/vnd.pypi.simple.v1+json", "max-age=600");
                    }});
  routes.push_back({"GET", "/files/{}", [&root](const dae::ServerRequest& request) {
                      return serve(root / "files" / request.captures.at(0), "application/octet-stream",
                                   "max-age=365000000, immutable");
                    }});
  const auto server = dae::start_http_server(std::move(options), std::move(routes));
  std::printf("%s/simple/\n", server->url().c_str());
  std::fflush(stdout);
  while (true) pause();
}
