#include "base/sqlite.h"

#include <sqlite3.h>

#include <utility>

#include "base/clock.h"
#include "base/error.h"

namespace dae {
namespace {

std::string file_of(sqlite3* db) {
  const char* name = sqlite3_db_filename(db, "main");
  return name != nullptr && *name != '\0' ? name : ":memory:";
}

[[noreturn]] void fail(sqlite3* db, const std::string& message) {
  const int code = sqlite3_errcode(db) & 0xff;
  ErrorKind kind = ErrorKind::io;
  std::string hint;
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) kind = ErrorKind::bad_input;
  if (code == SQLITE_CONSTRAINT) kind = ErrorKind::refused;
  if (code == SQLITE_BUSY) hint = "another process holds the database; try again when it is done";
  throw Error(kind, message, file_of(db), hint).because(sqlite3_errmsg(db));
}

void execute_on(sqlite3* db, const std::string& sql) {
  if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    fail(db, "cannot run `" + sql.substr(0, 80) + "`");
  }
}

// The switch to WAL may answer BUSY at once while another process makes the same switch, whatever the time-out.
void enable_wal(sqlite3* db, int busy_timeout_ms) {
  SystemClock clock;
  const int64_t deadline_ms = clock.monotonic_ms() + busy_timeout_ms;
  while (sqlite3_exec(db, "PRAGMA journal_mode=WAL", nullptr, nullptr, nullptr) != SQLITE_OK) {
    if ((sqlite3_errcode(db) & 0xff) != SQLITE_BUSY || clock.monotonic_ms() > deadline_ms) {
      fail(db, "cannot open the database");
    }
    clock.sleep_ms(5);
  }
}

}  // namespace

Statement::~Statement() {
  sqlite3_finalize(statement_);
}
Statement::Statement(Statement&& other) noexcept
    : db_(other.db_), statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::bind(int index, std::string_view text) {
  // A null pointer would bind NULL instead of the empty string.
  const char* data = text.data() == nullptr ? "" : text.data();
  if (sqlite3_bind_text64(statement_, index, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8) != SQLITE_OK) {
    fail(db_, "cannot bind a parameter");
  }
  return *this;
}

Statement& Statement::bind(int index, int64_t number) {
  if (sqlite3_bind_int64(statement_, index, number) != SQLITE_OK) fail(db_, "cannot bind a parameter");
  return *this;
}

Statement& Statement::bind_blob(int index, std::string_view bytes) {
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  if (sqlite3_bind_blob64(statement_, index, data, bytes.size(), SQLITE_TRANSIENT) != SQLITE_OK) {
    fail(db_, "cannot bind a parameter");
  }
  return *this;
}

Statement& Statement::bind_null(int index) {
  if (sqlite3_bind_null(statement_, index) != SQLITE_OK) fail(db_, "cannot bind a parameter");
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  const char* sql = sqlite3_sql(statement_);
  std::string message = "cannot run `" + std::string(sql == nullptr ? "" : sql).substr(0, 80) + "`";
  // The message of the connection must be read before reset() may change it.
  try {
    fail(db_, message);
  } catch (...) {
    sqlite3_reset(statement_);
    throw;
  }
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

std::string Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return data == nullptr ? "" : std::string(data, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
}

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string Statement::blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return data == nullptr ? "" : std::string(data, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Database Database::open(const Path& path, const std::vector<std::string>& migrations, int busy_timeout_ms) {
  if (path != ":memory:" && path.has_parent_path()) make_dirs(path.parent_path());
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Database db(raw);
  if (code != SQLITE_OK) {
    throw Error(ErrorKind::io, "cannot open the database", path.string()).because(sqlite3_errstr(code));
  }
  sqlite3_busy_timeout(raw, busy_timeout_ms);
  enable_wal(raw, busy_timeout_ms);
  // FULL: a committed transaction survives a power cut also in WAL mode.
  execute_on(raw, "PRAGMA synchronous=FULL");
  execute_on(raw, "PRAGMA foreign_keys=ON");

  const auto known = static_cast<int64_t>(migrations.size());
  auto stored_version = [&] {
    Statement statement = db.prepare("PRAGMA user_version");
    return statement.step() ? statement.integer(0) : 0;
  };
  if (stored_version() > known) {
    throw Error(ErrorKind::refused, "the database was written by a newer version of dae", path.string(),
                "use that version, or move the file away");
  }
  for (int64_t i = stored_version(); i < known; ++i) {
    db.transaction([&] {
      if (stored_version() != i) return;  // another process was faster
      execute_on(raw, migrations[static_cast<size_t>(i)]);
      execute_on(raw, "PRAGMA user_version=" + std::to_string(i + 1));
    });
  }
  return db;
}

Database::~Database() {
  sqlite3_close_v2(db_);
}
Database::Database(Database&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
Database& Database::operator=(Database&& other) noexcept {
  std::swap(db_, other.db_);
  return *this;
}

Statement Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr) != SQLITE_OK) {
    fail(db_, "cannot prepare `" + std::string(sql.substr(0, 80)) + "`");
  }
  return Statement(db_, statement);
}

void Database::execute(std::string_view sql) {
  execute_on(db_, std::string(sql));
}

void Database::transaction(const std::function<void()>& body) {
  execute_on(db_, "BEGIN IMMEDIATE");
  try {
    body();
    execute_on(db_, "COMMIT");
  } catch (...) {
    // Some failures have rolled back already.
    if (sqlite3_get_autocommit(db_) == 0) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
    throw;
  }
}

int64_t Database::changes() const {
  return sqlite3_changes64(db_);
}
int64_t Database::last_insert_id() const {
  return sqlite3_last_insert_rowid(db_);
}

}  // namespace dae
