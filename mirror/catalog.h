#pragma once
// What the mirror knows, in one SQLite file: pages of upstreams, metadata digests, repositories, tags, upload sessions.
// The bytes themselves are in the blob store; a row is written only after its bytes are there, so that a crash leaves
// at most a blob that nobody names. Format: share/doc/formats/blob-store.md.
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

 private:
  std::mutex mutex_;
  Database database_;
};

}  // namespace dae::mirror
