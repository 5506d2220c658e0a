#pragma once
// An upstream that tells serials, as a synced index needs it; and syncs of it into a storage of the test's own.
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/http_client.h"
#include "base/http_server.h"
#include "base/process.h"
#include "fixture.h"
#include "mirror/index/page_store.h"
#include "mirror/sync/run.h"
#include "mirror/sync/settings.h"

namespace dae::mirror::testing {

class SyncUpstream {
 public:
  struct File {
    std::string name, bytes, extra;  // members of its JSON, with the comma
    std::string sha256;              // "" : that of the bytes
    bool told_size = true;
  };
  SyncUpstream();
  std::string simple_url() const { return server_->url() + "/simple/"; }
  // Puts wheels of these versions on the project's page; the project's serial is a new one.
  void set_wheels(const std::string& project, const std::vector<std::string>& versions);
  void set_files(const std::string& project, std::vector<File> files, const std::string& status = "");
  void remove(const std::string& project);
  void set_bytes(const std::string& file, std::string bytes);  // of what no page lists as a file

  std::atomic<bool> serials{true};  // told, in the list and on pages
  std::atomic<bool> html{false};    // neither JSON nor validators
  std::atomic<int> stale_pages{0};  // so many answers with pages still carry the serial before
  std::atomic<int> lists{0}, pages{0}, not_modified{0}, files{0}, metadata{0};
  void set_down_file(const std::string& name);  // answered 500

 private:
  struct Project {
    std::vector<File> files;
    std::string status;
    int64_t serial = 0;
  };
  ServerResponse list();
  ServerResponse page(const ServerRequest& request);
  ServerResponse file(const ServerRequest& request);
  std::mutex mutex_;  // of what follows
  std::string down_file_;
  std::map<std::string, Project> projects_;
  std::map<std::string, std::string> bytes_;
  int64_t last_serial_ = 100;
  std::unique_ptr<HttpServer> server_;
};

std::string wheel_name(const std::string& project, const std::string& version);

// A storage, and the settings of an index `pypi` in it.
struct SyncBench {
  explicit SyncBench(const SyncUpstream& upstream, const std::string& keys = "");
  // Other rules from now on: `keys` of the index in mirror.yaml.
  void set_keys(const std::string& keys);
  sync::SyncReport run(const sync::SyncOptions& options = {});
  // Names and versions of the files that the index lists, by project: "a-1.0-py3-none-any.whl".
  std::vector<std::string> listed(const std::string& project);
  std::vector<std::string> projects();
  // All files listed are there, with their digests, and so is their metadata.
  void expect_whole();

  TempDir dir;
  std::string upstream_url;
  MirrorConfig config;
  ManualClock clock;
  NullSink events;
  std::unique_ptr<Transport> transport;
  std::unique_ptr<ProcessRunner> runner = make_process_runner();
};

}  // namespace dae::mirror::testing
