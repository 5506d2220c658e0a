#pragma once
// An upstream index with counters, and a mirror in front of it; both on loopback.
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/http_client.h"
#include "base/http_server.h"
#include "base/process.h"
#include "mirror/mirror.h"

namespace dae::mirror::testing {

// Members stored without compression.
std::string make_zip(const std::vector<std::pair<std::string, std::string>>& members);
std::string metadata_text(const std::string& name, const std::string& version);
// A wheel with METADATA and nothing else to speak of.
std::string make_wheel(const std::string& distribution, const std::string& version);

// Serves /simple/<project>/ and /files/<name>. What a test wants different it replaces.
class FakeIndex {
 public:
  using Handler = std::function<ServerResponse(const ServerRequest&)>;
  FakeIndex();
  std::string simple_url() const { return server_->url() + "/simple/"; }
  std::string url() const { return server_->url(); }
  void set_page(const std::string& project, std::string body, std::string content_type, std::string etag = "");
  void remove_page(const std::string& project);
  void set_file(const std::string& name, std::string bytes);
  void set_down(bool down) { down_ = down; }
  void set_delay_ms(int delay_ms) { delay_ms_ = delay_ms; }

  std::atomic<int> pages{0}, not_modified{0}, files{0}, metadata{0}, absent{0};

 private:
  struct Page {
    std::string body, type, etag;
  };
  ServerResponse page(const ServerRequest& request);
  ServerResponse file(const ServerRequest& request);

  std::mutex mutex_;
  std::map<std::string, Page> pages_;
  std::map<std::string, std::string> files_;
  std::atomic<bool> down_{false};
  std::atomic<int> delay_ms_{0};
  std::unique_ptr<HttpServer> server_;
};

std::string json_file(const std::string& name, const std::string& sha256, const std::string& extra = "");
std::string json_page(const std::string& project, const std::vector<std::string>& files);

// Adds the private index `team`, and over it and `pypi` the overlay `all`.
void add_team_and_overlay(MirrorConfig& config, std::vector<std::string> claims);

class TestMirror {
 public:
  explicit TestMirror(const std::string& upstream, const std::function<void(MirrorConfig&)>& adjust = {});
  void restart();
  void stop() { mirror_.reset(); }
  const std::string& url() const { return url_; }
  HttpResponse get(const std::string& path, Headers headers = {}) { return send("GET", path, std::move(headers)); }
  HttpResponse send(const std::string& method, const std::string& path, Headers headers = {}, std::string body = "");
  // The project's page as JSON.
  Value page(const std::string& project);
  // The mirror's path of the file on the page: "/packages/…".
  std::string file_path(const std::string& project, const std::string& file);

  TempDir dir;
  MirrorConfig config;
  ManualClock clock;
  std::unique_ptr<Transport> transport;

 private:
  std::unique_ptr<ProcessRunner> runner_;
  std::unique_ptr<Mirror> mirror_;
  std::string url_;
};

}  // namespace dae::mirror::testing
