// Debian's library has the extension; its header shows it to who asks.
#define SQLITE_ENABLE_SESSION 1
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#include "base/sqlite_changes.h"

#include <sqlite3.h>

#include "base/error.h"

namespace dae {
namespace {

constexpr int kPagesAtOnce = 1000;
constexpr int kLockedWaitMs = 5, kLockedTries = 2000;
constexpr size_t kChangesLimitBytes = 1u << 30;

[[noreturn]] void fail(const std::string& message, int code, ErrorKind kind = ErrorKind::io) {
  throw Error(kind, message).because(sqlite3_errstr(code));
}

// Rows that differ mean that the databases have parted: nothing of it may be taken.
int on_conflict(void* met, int, sqlite3_changeset_iter*) {
  *static_cast<bool*>(met) = true;
  return SQLITE_CHANGESET_ABORT;
}

struct Closer {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};

}  // namespace

ChangeRecorder::ChangeRecorder(Database& database, const std::vector<std::string>& tables) : database_(database) {
  if (const int code = sqlite3session_create(database_.db_, "main", &session_); code != SQLITE_OK) {
    fail("cannot record changes", code);
  }
  for (const std::string& table : tables) {
    if (const int code = sqlite3session_attach(session_, table.c_str()); code != SQLITE_OK) {
      sqlite3session_delete(session_);
      fail("cannot record changes of `" + table + "`", code);
    }
  }
}

ChangeRecorder::~ChangeRecorder() {
  sqlite3session_delete(session_);
}

std::string ChangeRecorder::changes() {
  int size = 0;
  void* bytes = nullptr;
  const int code = sqlite3session_changeset(session_, &size, &bytes);
  const std::unique_ptr<void, void (*)(void*)> owner(bytes, sqlite3_free);
  if (code != SQLITE_OK) fail("cannot tell what was changed", code);
  return {static_cast<const char*>(bytes), static_cast<size_t>(size)};
}

void apply_changes(Database& database, std::string_view changes) {
  if (changes.size() > kChangesLimitBytes) throw Error(ErrorKind::bad_input, "a changeset is too large");
  bool met = false;
  // The interface is not const-correct: the bytes are read only.
  const int code = sqlite3changeset_apply(database.db_, static_cast<int>(changes.size()),
                                          const_cast<char*>(changes.data()), nullptr, on_conflict, &met);
  if (met) throw Error(ErrorKind::verification, "the rows are not those that the changes were made to");
  if (code == SQLITE_CORRUPT) fail("not a changeset", code, ErrorKind::bad_input);
  if (code != SQLITE_OK) fail("cannot apply changes", code);
}

void copy_database(Database& database, const Path& into) {
  Statement copy = database.prepare("VACUUM INTO ?");
  copy.bind(1, into.string()).run();
}

void replace_database(Database& database, const Path& from) {
  sqlite3* raw = nullptr;
  int code = sqlite3_open_v2(from.c_str(), &raw, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
  const std::unique_ptr<sqlite3, Closer> source(raw);
  if (code != SQLITE_OK) fail("cannot open `" + from.string() + "`", code);
  sqlite3_backup* backup = sqlite3_backup_init(database.db_, "main", source.get(), "main");
  if (backup == nullptr) fail("cannot replace the database", sqlite3_errcode(database.db_));
  for (int tries = 0; tries < kLockedTries;) {
    code = sqlite3_backup_step(backup, kPagesAtOnce);
    if (code == SQLITE_OK) continue;
    if (code != SQLITE_BUSY && code != SQLITE_LOCKED) break;
    sqlite3_sleep(kLockedWaitMs);
    ++tries;
  }
  const int finished = sqlite3_backup_finish(backup);
  if (code != SQLITE_DONE || finished != SQLITE_OK) fail("cannot replace the database", finished, ErrorKind::bad_input);
}

}  // namespace dae
