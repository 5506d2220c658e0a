#pragma once
// What the mirror knows, in one SQLite file: pages of upstreams, metadata digests, repositories, tags, upload sessions.
// The bytes themselves are in the blob store; a row is written only after its bytes are there, so that a crash leaves
// at most a blob that nobody names. Format: share/doc/formats/blob-store.md.
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/sqlite.h"

namespace dae::mirror {

// The log that makes catalogs of several machines copies of each other (storage/catalog_log.h). Called by one thread at
// a time.
class CatalogLog {
 public:
  virtual ~CatalogLog() = default;
  // The right to write, held while the result lives. Throws Error network when it cannot be had in time.
  virtual std::shared_ptr<const void> take_turn() = 0;
  // Brings the copy to where the log is. Not within a transaction. True: something was new.
  virtual bool catch_up(Database& copy) = 0;
  // Within the transaction that made these changes, in a turn and after catch_up(). When it throws, nobody has them,
  // or (kind network) that is not known: the transaction is rolled back, and the next catch_up() tells.
  virtual void publish(Database& copy, const std::string& changes) = 0;
};

// Thread-safe. Without a log: one connection, one caller at a time. With a log, one connection reads while another
// waits for the log. Every body is short; bytes are never moved under the lock.
class Catalog {
 public:
  explicit Catalog(const Path& file, CatalogLog* log = nullptr);
  ~Catalog();

  template <typename Body>
  auto read(Body&& body) {
    std::lock_guard lock(mutex_);
    return body(database_);
  }
  // One transaction. With a log, those that wait at the same time are published at once, each on some thread of theirs.
  void write(const std::function<void(Database&)>& body);
  // Of what concerns this machine alone (machine_tables): nobody else is told.
  void write_local(const std::function<void(Database&)>& body);
  // Takes over what others wrote. True: there was something.
  bool follow();
  // For what another machine may have written a moment ago: `body` (an optional) is asked again when it found nothing
  // and there is something new.
  template <typename Body>
  auto read_newest(Body&& body) {
    auto found = read(body);
    return found || !look_again() ? found : read(body);
  }
  bool look_again();  // true: there is something new. Many who ask at once are answered by one look
  // With the connection that writes; no write runs meanwhile.
  void maintain(const std::function<void(Database&)>& body);
  // Changes after every write: what was looked up before, and after it was the same, still holds. Writes of other
  // processes (a sync, `dae mirror snapshot`) are noticed 100 ms later at most.
  uint64_t generation() const;

 private:
  struct Waiting;
  Database& writing() { return writer_ ? *writer_ : database_; }
  void look_for_other_writers() const;
  void note_own_write();
  void write_together(std::vector<Waiting*>& batch);
  mutable std::mutex mutex_;
  mutable Database database_;
  mutable std::atomic<uint64_t> generation_{0};
  mutable std::atomic<int64_t> looked_ms_{0};
  mutable int64_t data_version_ = 0;  // with the lock

  CatalogLog* log_;
  std::mutex write_mutex_;  // before mutex_
  std::atomic<uint64_t> looks_{0};
  std::optional<Database> writer_;
  std::vector<std::string> shared_tables_;
  std::mutex waiting_mutex_;
  std::vector<Waiting*> waiting_;
};

// Tables of what every machine knows for itself. `replica`, which says how far a copy is, is in none of the two.
const std::vector<std::string>& machine_tables();
const std::vector<std::string>& catalog_migrations();

}  // namespace dae::mirror
