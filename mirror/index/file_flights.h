#pragma once
// Files on their way from upstreams or an object store: one fetch each, however many ask, and all of them read it while
// it comes.
#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "base/blob_store.h"
#include "base/growing_file.h"
#include "base/http_server.h"
#include "base/worker_pool.h"
#include "mirror/index/upstream.h"

namespace dae::mirror {

// A part that does not reach the file's end could be right for its reader although the file turns out wrong: only who
// wants the end may have the file while it comes.
bool wants_the_end(const ServerRequest& request);

// Thread-safe. A fetch goes on to its end whoever stops waiting for it; destruction ends those that are under way.
class FileFlights {
 public:
  // Fetches into the blob store, telling `watch`; throws when that fails. Called on a thread of the flights.
  using Fetch = std::function<void(const FileWatch& watch)>;

  explicit FileFlights(const BlobStore& blobs);
  ~FileFlights();

  // Waits for the first bytes. nullptr: the file is whole, in the blob store and near. Throws what `fetch` threw before
  // them.
  std::shared_ptr<GrowingFile> open(const Digest& digest, Fetch fetch);
  // Waits for all of it.
  void complete(const Digest& digest, Fetch fetch);

 private:
  struct Flight {
    std::mutex mutex;
    std::condition_variable changed;
    std::shared_ptr<GrowingFile> file;  // once its size is known and some of it is there
    bool landed = false;
    std::exception_ptr error;
  };
  std::shared_ptr<Flight> join(const Digest& digest, Fetch fetch);
  void fly(const std::shared_ptr<Flight>& flight, const Digest& digest, const Fetch& fetch);
  void land(Flight& flight, const Digest& digest, std::exception_ptr error);
  FileWatch watch_of(const std::shared_ptr<Flight>& flight) const;

  const BlobStore& blobs_;
  const std::shared_ptr<std::atomic<bool>> stop_ = std::make_shared<std::atomic<bool>>(false);
  std::mutex mutex_;
  std::map<Digest, std::shared_ptr<Flight>> flights_;
  WorkerPool pool_;
};

}  // namespace dae::mirror
