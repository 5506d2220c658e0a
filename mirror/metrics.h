#pragma once
// Counters of a running mirror and their Prometheus text form.
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/blob_store.h"
#include "base/clock.h"
#include "base/http_server.h"

namespace dae::mirror {

// Thread-safe.
class Metrics {
 public:
  void count_request(const ServerRequest& request, int status, uint64_t bytes);

  std::atomic<uint64_t> page_fetches{0}, page_revalidations{0}, file_fetches{0}, metadata_fetches{0};
  std::atomic<uint64_t> metadata_extractions{0}, upstream_bytes{0}, upstream_errors{0}, stale_pages{0};

  // Counting blobs walks the store, so that number is at most 60 s old.
  std::string render(const BlobStore& blobs, const Clock& clock);

 private:
  struct Served {
    uint64_t requests = 0, bytes = 0;
  };
  struct BlobCount {
    uint64_t blobs = 0, bytes = 0;
  };
  BlobCount count_blobs(const BlobStore& blobs, const Clock& clock);

  std::mutex mutex_;
  std::map<std::pair<std::string, int>, Served> served_;  // route class, status class
  BlobCount blob_count_;
  int64_t counted_ms_ = -1;
};

}  // namespace dae::mirror
