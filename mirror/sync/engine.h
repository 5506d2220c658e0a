#pragma once
// Carries out a difference: pages, then files, then what is published; many transfers at once and bounded memory. With
// `plan_only` it stops at what would be fetched.
#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/partial_download.h"
#include "mirror/index/page_store.h"
#include "mirror/index/upstream.h"
#include "mirror/sync/choice.h"
#include "mirror/sync/completions.h"
#include "mirror/sync/difference.h"
#include "mirror/sync/progress.h"
#include "mirror/sync/publisher.h"
#include "mirror/sync/report.h"
#include "mirror/sync/settings.h"

namespace dae::mirror::sync {

struct EngineParts {
  const std::string index;
  Upstream& upstream;
  const Selector& selector;
  const SyncSettings& settings;
  uint64_t file_limit_bytes;
  PageStore& pages;
  BlobStore& blobs;
  Publisher& publisher;
  Clock& clock;
  EventSink& events;
  bool plan_only = false;
  bool conditional = true;               // validators may be sent: what was kept was decided under these rules
  std::function<bool()> stop_requested;  // asked often
};

// One thread; one run().
class Engine {
 public:
  Engine(EngineParts parts, std::deque<Task> tasks, SyncReport& report);
  // Failures of single projects are in the report. Throws for what concerns all: our own disk.
  void run();

 private:
  struct Project {
    Task task;
    std::shared_ptr<const ProjectDocument> listed;  // null: not there
    Choice choice;
    std::set<size_t> dropped;  // of the choice's files: too large, as their fetch has told
    Publisher::Validators validators;
    ProjectReport report;
    int64_t serial = 0, listed_serial = 0;
    int tries = 0;
    size_t open_files = 0;
    bool failed = false;
  };
  using ProjectPtr = std::shared_ptr<Project>;
  struct FileWork {
    ProjectPtr project;
    size_t file = 0;  // of the project's document
    enum class Part { bytes, metadata, provenance } part = Part::bytes;
    std::shared_ptr<PartialDownload> download;
  };
  struct Work {
    ProjectPtr project;  // its page, when there is no file
    std::optional<FileWork> file;
  };
  struct Transfer {
    Work work;
    std::future<HttpResponse> answer;
  };

  bool done() const;
  void start_some();
  bool may_send();
  void begin(Task task);
  void send_page(const ProjectPtr& project);
  void send(Work work, HttpRequest request);
  void resume(Work work);
  void wait();
  void take(Transfer transfer);
  void start_due();
  void take_page(const ProjectPtr& project, std::future<HttpResponse> answer);
  bool is_stale(const Project& project, const UpstreamPage& page) const;
  void look(const ProjectPtr& project, const resolver::ProjectPage& page);
  void remove(const Project& project);
  bool held(const Digest& digest);
  void bring_files(const ProjectPtr& project);
  void bring_file(const ProjectPtr& project, size_t file);
  void take_file(FileWork file, std::future<HttpResponse> answer);
  void send_file(FileWork file);
  Download download_of(const FileWork& file) const;
  void take_part(const FileWork& file);
  void stored(const FileWork& file, uint64_t fetched_bytes);
  void each_waiting(const Digest& digest, const std::function<void(const FileWork&)>& visit);
  void bring_sidecars(const ProjectPtr& project, size_t file);
  bool extract_metadata(resolver::IndexFile& file);
  void bring_sidecar(const ProjectPtr& project, size_t file, FileWork::Part part);
  void send_sidecar(FileWork file);
  void take_sidecar(const FileWork& file, std::future<HttpResponse> answer);
  void take_metadata(const FileWork& file, const HttpResponse& response);
  void take_provenance(const FileWork& file, const HttpResponse& response);
  void file_done(const ProjectPtr& project);
  void file_failed(const FileWork& file, const Error& error);
  void finish(Project& project);
  void fail(Project& project, const std::string& file, const std::string& why);

  EngineParts parts_;
  std::deque<Task> tasks_;  // those to come
  SyncReport& report_;
  size_t open_projects_ = 0, done_projects_ = 0;
  std::deque<Work> ready_;                // before new projects: they hold memory
  std::multimap<int64_t, Work> delayed_;  // by due time, monotonic
  std::map<uint64_t, Transfer> transfers_;
  std::map<Digest, std::vector<FileWork>> fetching_;  // who waits for a file that is fetched already
  std::shared_ptr<Completions> completions_ = std::make_shared<Completions>();
  uint64_t last_id_ = 0;
  double next_send_ms_ = 0;
  std::shared_ptr<std::atomic<bool>> stopped_ = std::make_shared<std::atomic<bool>>(false);
  Progress progress_;
};

}  // namespace dae::mirror::sync
