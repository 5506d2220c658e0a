#include "mirror/storage/cache_keeper.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/log.h"

namespace dae::mirror {
namespace {

constexpr int kShards = 256;
constexpr std::chrono::minutes kLongestWait{10};
constexpr std::chrono::seconds kShortestWait{10};

struct Used {
  int64_t at_ms;
  uint64_t size_bytes;
};

void for_each_file(const BlobStore& cache, const std::function<void(const StoredBlob&)>& visit) {
  for (int shard = 0; shard < kShards; ++shard) {
    for (const StoredBlob& blob : cache.list(to_hex(std::string(1, static_cast<char>(shard))))) visit(blob);
  }
}

// Who was last used at this time or before goes, so that `over_bytes` do.
int64_t last_to_go_ms(std::vector<Used>& all, uint64_t over_bytes) {
  std::sort(all.begin(), all.end(), [](const Used& a, const Used& b) { return a.at_ms < b.at_ms; });
  for (const Used& used : all) {
    if (used.size_bytes >= over_bytes) return used.at_ms;
    over_bytes -= used.size_bytes;
  }
  return all.empty() ? 0 : all.back().at_ms;
}

}  // namespace

// Two passes, the first for times and sizes alone: a cache may have a million files.
Eviction evict(BlobStore& cache, const EvictionLimits& limits, const std::function<bool(const StoredBlob&)>& may_go) {
  Eviction done;
  std::vector<Used> all;
  for_each_file(cache, [&](const StoredBlob& blob) {
    done.held_bytes += blob.size_bytes;
    all.push_back({blob.touched_ms, blob.size_bytes});
  });
  const uint64_t limit_bytes = std::min(limits.cache_bytes, (done.held_bytes + limits.free_bytes) / 20 * 19);
  if (done.held_bytes <= limit_bytes) return done;
  const uint64_t goal_bytes = limit_bytes / 10 * 9;
  const int64_t last_ms = std::min(last_to_go_ms(all, done.held_bytes - goal_bytes), limits.spare_from_ms - 1);
  all = {};
  for_each_file(cache, [&](const StoredBlob& blob) {
    if (blob.touched_ms > last_ms || done.held_bytes <= goal_bytes || !may_go(blob)) return;
    if (!cache.remove_untouched(blob.digest, last_ms + 1)) return;
    done.blobs += 1;
    done.bytes += blob.size_bytes;
    done.held_bytes -= blob.size_bytes;
  });
  return done;
}

CacheKeeper::~CacheKeeper() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void CacheKeeper::note(uint64_t bytes, bool full) {
  std::lock_guard lock(mutex_);
  new_bytes_ += bytes;
  full_ = full_ || full;
  if (!thread_.joinable() && !stop_) thread_ = std::thread([this] { run(); });
  if (full_ || new_bytes_ >= many_bytes_) wake_.notify_all();
}

void CacheKeeper::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    // What other processes put into the same folder shows at the latest after the longest wait.
    wake_.wait_for(lock, worked_ ? kLongestWait : kShortestWait,
                   [&] { return stop_ || full_ || new_bytes_ >= many_bytes_; });
    if (stop_) return;
    const bool anything = full_ || new_bytes_ > 0;
    full_ = false;
    new_bytes_ = 0;
    worked_ = true;
    if (anything) {
      lock.unlock();
      try {
        work_();
      } catch (const std::exception& error) {
        log_warn("the cache of blobs could not be made smaller", {{"why", error.what()}});
      }
      lock.lock();
    }
    wake_.wait_for(lock, kShortestWait, [&] { return stop_; });
  }
}

}  // namespace dae::mirror
