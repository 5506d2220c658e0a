#pragma once
// What the mirror knows, in one SQLite file: pages of upstreams, metadata digests, repositories, tags, upload sessions.
// The bytes themselves are in the blob store; a row is written only after its bytes are there, so that a crash leaves
// at most a blob that nobody names. Format: share/doc/formats/blob-store.md.
#include <atomic>
#include <functional>
#include <mutex>

#include "base/fs.h"
#include "base/sqlite.h"

namespace dae::mirror {

// Thread-safe: one connection, one caller at a time. Every body is short; bytes are never moved under the lock.
class Catalog {
 public:
  explicit Catalog(const Path& file);

  template <typename Body>
  auto read(Body&& body) {
    std::lock_guard lock(mutex_);
    return body(database_);
  }
  // One transaction.
  void write(const std::function<void(Database&)>& body);
  // Changes after every write: what was looked up before, and after it was the same, still holds. Writes of other
  // processes (a sync, `dae mirror snapshot`) are noticed 100 ms later at most.
  uint64_t generation() const;

 private:
  void look_for_other_writers() const;
  mutable std::mutex mutex_;
  mutable Database database_;
  mutable std::atomic<uint64_t> generation_{0};
  mutable std::atomic<int64_t> looked_ms_{0};
  mutable int64_t data_version_ = 0;  // with the lock
};

}  // namespace dae::mirror
