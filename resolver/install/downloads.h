#pragma once
// Many files from few hosts into the blob store: one thread that starts transfers and takes what came, while the
// transport moves the bytes. The largest go first, as they take the longest to unpack.
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/blob_store.h"
#include "base/events.h"
#include "base/http_client.h"
#include "resolver/lock/lock.h"
#include "resolver/source/credentials.h"

namespace dae {
class PartialDownload;
}

namespace dae::resolver {

constexpr int kDefaultDownloadsPerHost = 32;

class Downloads {
 public:
  Downloads(Transport& transport, BlobStore& blobs, CredentialStore& credentials, EventSink& events, int max_per_host);
  ~Downloads();  // transfers that are under way end soon, by themselves

  // `done` is called by run() when the file is in the store.
  void add(const Selected& item, const Digest& digest, std::function<void()> done);
  // Throws what ended one of them: subject is the file's name. What has come of the others stays for the next run.
  void run();

 private:
  struct File;
  struct Inbox;  // what the transport's thread reports
  void start_what_fits();
  bool start(File& file);
  bool wait_for_other_process(File& file);
  void send(File& file);
  void take_answer(File& file);
  void store(File& file);
  void wait();
  void show_progress();
  [[noreturn]] void fail(const File& file, const Error& error) const;

  Transport& transport_;
  BlobStore& blobs_;
  CredentialStore& credentials_;
  EventSink& events_;
  const int max_per_host_;
  std::shared_ptr<std::atomic<bool>> stop_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<Inbox> inbox_;
  std::vector<std::unique_ptr<File>> files_;
  std::vector<File*> waiting_;  // in the order in which they shall start
  std::map<std::string, int> active_of_host_;
  size_t active_ = 0, left_ = 0;
  uint64_t active_bytes_ = 0, stored_bytes_ = 0, total_bytes_ = 0;
  int64_t shown_ms_ = 0;
  std::unique_ptr<Activity> activity_;
};

}  // namespace dae::resolver
