#include "mirror/catalog.h"

#include <algorithm>
#include <exception>

#include "base/clock.h"
#include "base/error.h"
#include "base/sqlite_changes.h"

namespace dae::mirror {
namespace {

constexpr int64_t kLookEveryMs = 100;
// Another process of this machine may be waiting for the log within its transaction.
constexpr int kSharedBusyMs = 60'000;

int64_t data_version(Database& db) {
  Statement version = db.prepare("PRAGMA data_version");
  return version.step() ? version.integer(0) : 0;
}

std::vector<std::string> shared_tables(Database& db) {
  std::vector<std::string> tables;
  Statement rows = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
  while (rows.step()) {
    const std::string table = rows.text(0);
    if (table != "replica" && std::ranges::find(machine_tables(), table) == machine_tables().end()) {
      tables.push_back(table);
    }
  }
  return tables;
}

}  // namespace

struct Catalog::Waiting {
  const std::function<void(Database&)>& body;
  std::exception_ptr error = {};
  bool done = false;  // with the write lock
};

Catalog::Catalog(const Path& file, CatalogLog* log) : database_(Database::open(file, catalog_migrations())), log_(log) {
  database_.execute("PRAGMA foreign_keys = ON");
  data_version_ = data_version(database_);
  if (log_ == nullptr) return;
  writer_ = Database::open(file, catalog_migrations(), kSharedBusyMs);
  shared_tables_ = shared_tables(*writer_);
  // What a power cut takes of the copy comes back from the log.
  for (Database* db : {&database_, &*writer_}) db->execute("PRAGMA synchronous = NORMAL");
}

Catalog::~Catalog() = default;

uint64_t Catalog::generation() const {
  const int64_t now_ms = SystemClock().monotonic_ms();
  int64_t looked_ms = looked_ms_.load(std::memory_order_relaxed);
  if (now_ms - looked_ms >= kLookEveryMs && looked_ms_.compare_exchange_strong(looked_ms, now_ms)) {
    look_for_other_writers();
  }
  return generation_.load();
}

// Never waits: event loops ask. Whoever has the lock has it for a moment only, and the next call looks again.
void Catalog::look_for_other_writers() const {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) {
    looked_ms_ = 0;
    return;
  }
  const int64_t version = data_version(database_);
  if (version == data_version_) return;
  data_version_ = version;
  ++generation_;
}

void Catalog::note_own_write() {
  if (writer_) {
    std::lock_guard lock(mutex_);
    data_version_ = data_version(database_);
  }
  ++generation_;
}

void Catalog::write_local(const std::function<void(Database&)>& body) {
  std::lock_guard turn(write_mutex_);
  {
    std::unique_lock lock(mutex_, std::defer_lock);
    if (!writer_) lock.lock();
    writing().transaction([&] { body(writing()); });
  }
  note_own_write();
}

void Catalog::write(const std::function<void(Database&)>& body) {
  if (log_ == nullptr) {
    write_local(body);
    return;
  }
  Waiting own{body};
  {
    std::lock_guard lock(waiting_mutex_);
    waiting_.push_back(&own);
  }
  std::lock_guard turn(write_mutex_);
  if (!own.done) {
    std::vector<Waiting*> batch;
    {
      std::lock_guard lock(waiting_mutex_);
      batch.swap(waiting_);
    }
    write_together(batch);
  }
  if (own.error) std::rethrow_exception(own.error);
}

// With the write lock. What fails for all is everybody's error; a body that throws is undone alone.
void Catalog::write_together(std::vector<Waiting*>& batch) {
  for (Waiting* one : batch) one->done = true;
  try {
    const auto turn = log_->take_turn();
    log_->catch_up(*writer_);
    writer_->transaction([&] {
      ChangeRecorder recorder(*writer_, shared_tables_);
      for (Waiting* one : batch) {
        writer_->execute("SAVEPOINT body");
        try {
          one->body(*writer_);
        } catch (...) {
          one->error = std::current_exception();
          writer_->execute("ROLLBACK TO body");
        }
        writer_->execute("RELEASE body");
      }
      const std::string changes = recorder.changes();
      if (!changes.empty()) log_->publish(*writer_, changes);
    });
  } catch (...) {
    for (Waiting* one : batch) {
      if (!one->error) one->error = std::current_exception();
    }
  }
  note_own_write();
}

bool Catalog::follow() {
  if (log_ == nullptr) return false;
  std::lock_guard turn(write_mutex_);
  const bool news = log_->catch_up(*writer_);
  if (news) note_own_write();
  return news;
}

bool Catalog::look_again() {
  if (log_ == nullptr) return false;
  const uint64_t before = generation_, looks = looks_;
  std::lock_guard turn(write_mutex_);
  if (looks_ == looks) {  // else somebody began to look after we asked
    ++looks_;
    try {
      if (log_->catch_up(*writer_)) note_own_write();
    } catch (const Error&) {
      return false;  // not found is the answer then
    }
  }
  return generation_ != before;
}

void Catalog::maintain(const std::function<void(Database&)>& body) {
  std::lock_guard turn(write_mutex_);
  body(writing());
}

}  // namespace dae::mirror
