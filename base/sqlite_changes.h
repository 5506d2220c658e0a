#pragma once
// What was changed in a database, as bytes for another one that had the same rows: SQLite's session extension.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/sqlite.h"

struct sqlite3_session;

namespace dae {

// Notes what happens to these tables (each has a primary key) through this database as long as it lives.
class ChangeRecorder {
 public:
  ChangeRecorder(Database& database, const std::vector<std::string>& tables);
  ~ChangeRecorder();
  ChangeRecorder(const ChangeRecorder&) = delete;
  ChangeRecorder& operator=(const ChangeRecorder&) = delete;
  // The difference between then and now, in the session extension's changeset format; "" when there is none.
  std::string changes();

 private:
  Database& database_;
  sqlite3_session* session_ = nullptr;
};

// In a transaction of the caller's. The bytes must be what a ChangeRecorder gave, and be known to be that (a digest):
// on damaged ones SQLite 3.40 may not come to an end. Throws Error verification when the rows are not what they were
// where it was recorded, bad_input when the bytes are no changeset; the caller rolls back.
void apply_changes(Database& database, std::string_view changes);

// A copy of the whole database, as of one moment, in a new file. Readers and writers go on.
void copy_database(Database& database, const Path& into);
// Replaces all that is in `database`, also for whoever else has it open, by the database in this file.
void replace_database(Database& database, const Path& from);

}  // namespace dae
