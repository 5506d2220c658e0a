#pragma once
// SQLite in WAL mode with busy time-out, prepared statements, and migrations.
// A Database and its Statements belong to one thread at a time; open one per thread for concurrency.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"

struct sqlite3;
struct sqlite3_stmt;

namespace dae {

class Statement {
 public:
  ~Statement();
  Statement(Statement&&) noexcept;
  Statement& operator=(Statement&&) = delete;
  // Parameters from 1. Chainable.
  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, int64_t number);
  Statement& bind_blob(int index, std::string_view bytes);
  Statement& bind_null(int index);
  bool step();  // true: a row is there
  void run();   // step to the end, then reset
  void reset();
  // Columns from 0.
  std::string text(int column) const;
  int64_t integer(int column) const;
  std::string blob(int column) const;
  bool is_null(int column) const;

 private:
  friend class Database;
  Statement(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  sqlite3* db_;
  sqlite3_stmt* statement_;
};

class Database {
 public:
  // `migrations[i]` brings user_version i to i+1, each in one transaction. A file from the future is refused with a
  // clear Error. ":memory:" is allowed. Creates parent directories.
  static Database open(const Path& path, const std::vector<std::string>& migrations, int busy_timeout_ms = 10'000);
  ~Database();
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;

  Statement prepare(std::string_view sql);
  void execute(std::string_view sql);
  // BEGIN IMMEDIATE … COMMIT; an exception rolls back and goes on.
  void transaction(const std::function<void()>& body);
  int64_t changes() const;
  int64_t last_insert_id() const;

 private:
  friend class ChangeRecorder;
  friend void apply_changes(Database& database, std::string_view changes);
  friend void replace_database(Database& database, const Path& from);
  explicit Database(sqlite3* db) : db_(db) {}
  sqlite3* db_ = nullptr;
};

}  // namespace dae
