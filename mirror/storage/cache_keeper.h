#pragma once
// Keeps a cache of blobs below its size, beside those who use it.
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "base/blob_store.h"

namespace dae::mirror {

struct Eviction {
  uint64_t blobs = 0, bytes = 0;  // removed
  uint64_t held_bytes = 0;        // what is left
};

struct EvictionLimits {
  uint64_t cache_bytes = 0;
  uint64_t free_bytes = 0;    // on its disk: a twentieth of the cache and this is left alone
  int64_t spare_from_ms = 0;  // what was used then or later stays
};

// When there is more than the limits let, removes the blobs used longest ago (by their files' times) until a tenth less
// than they let is left. None that `may_go` refuses; what that throws ends it.
Eviction evict(BlobStore& cache, const EvictionLimits& limits, const std::function<bool(const StoredBlob&)>& may_go);

// A thread that calls `work` some time after bytes came in: at once when a twentieth of the cache is new, else after
// minutes. Thread-safe; costs nothing before the first bytes.
class CacheKeeper {
 public:
  CacheKeeper(uint64_t cache_bytes, std::function<void()> work)
      : many_bytes_(cache_bytes / 20), work_(std::move(work)) {}
  ~CacheKeeper();
  void note_bytes(uint64_t count) { note(count, false); }
  void note_full() { note(0, true); }  // the disk had no room

 private:
  void note(uint64_t bytes, bool full);
  void run();

  const uint64_t many_bytes_;
  const std::function<void()> work_;
  std::mutex mutex_;
  std::condition_variable wake_;
  uint64_t new_bytes_ = 0;
  bool full_ = false, worked_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace dae::mirror
