#pragma once
// All blobs of a store in the order of their digests, for several workers, a directory at a time in memory.
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/blob_store.h"

namespace dae::mirror {

// Thread-safe.
class BlobQueue {
 public:
  // Those after `position` ("" for all) that were put at `since_ms` or later.
  BlobQueue(const BlobStore& blobs, const std::string& position, int64_t since_ms)
      : blobs_(blobs), position_(position), since_ms_(since_ms) {}
  // What lies ahead.
  struct Ahead {
    uint64_t blobs = 0, bytes = 0;
  };
  Ahead count() const;
  std::optional<StoredBlob> next();
  void done(const Digest& digest);
  // Everything up to here is done, whatever the order in which workers finish.
  std::string position();

 private:
  std::vector<StoredBlob> list(int shard) const;
  bool fill();

  const BlobStore& blobs_;
  std::mutex mutex_;
  std::string position_;
  const int64_t since_ms_;
  int next_shard_ = -1;  // -1: that of the position
  std::deque<StoredBlob> ahead_;
  std::map<std::string, bool> handed_out_;  // by digest: done
};

}  // namespace dae::mirror
