#pragma once
// Counters of a running mirror and their Prometheus text form.
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

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
  // On the event loops after every answer: no lock, nothing allocated.
  struct Served {
    std::atomic<uint64_t> requests{0}, bytes{0};
  };
  static constexpr size_t kRouteClasses = 6, kStatusClasses = 6;
  struct BlobCount {
    uint64_t blobs = 0, bytes = 0;
  };
  BlobCount count_blobs(const BlobStore& blobs, const Clock& clock);

  std::array<std::array<Served, kStatusClasses>, kRouteClasses> served_;
  std::mutex mutex_;  // of what follows
  BlobCount blob_count_;
  int64_t counted_ms_ = -1;
};

}  // namespace dae::mirror
