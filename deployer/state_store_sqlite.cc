#include <string>

#include "base/error.h"
#include "base/sqlite.h"
#include "base/strings.h"
#include "deployer/store_base.h"

namespace dae::deployer {
namespace {

const std::vector<std::string>& migrations() {
  static const std::vector<std::string> list = {
      "CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, create_revision INTEGER NOT NULL,"
      " mod_revision INTEGER NOT NULL) WITHOUT ROWID;"
      "CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL);"
      "INSERT INTO head VALUES (1, 0);"};
  return list;
}

Path lock_path(const Path& file) {
  return file.string() + ".lock";
}

FileLock lock_state(const Path& file) {
  if (file.has_parent_path()) make_dirs(file.parent_path());
  if (auto lock = FileLock::try_acquire(lock_path(file))) return std::move(*lock);
  const auto text = read_file_if_exists(lock_path(file), 64);
  const std::string holder = text ? std::string(trim(*text)) : "";
  throw Error(ErrorKind::refused,
              "the state is in use by another control plane" + (holder.empty() ? "" : " (pid " + holder + ")"),
              file.string(), "one control plane writes at a time: stop the other one, or give `--state` another file");
}

class SqliteStore final : public StoreBase {
 public:
  explicit SqliteStore(const Path& file)
      : lock_(lock_state(file)), database_(Database::open(file, migrations())), statements_(database_) {
    auto head = database_.prepare("SELECT revision FROM head");
    if (!head.step()) throw Error(ErrorKind::bad_input, "the state has lost its revision", file.string());
    start_at(head.integer(0));
  }

 protected:
  std::optional<StoredValue> read(const std::string& key) override {
    Statement& get = statements_.get;
    get.bind(1, key);
    std::optional<StoredValue> out;
    if (get.step()) out = row(get);
    get.reset();
    return out;
  }

  std::vector<StoredValue> read_prefix(const std::string& prefix) override {
    const std::string end = prefix_end(prefix);
    Statement& query = end.empty() ? statements_.list_from : statements_.list_range;
    query.bind(1, prefix);
    if (!end.empty()) query.bind(2, end);
    std::vector<StoredValue> out;
    while (query.step()) out.push_back(row(query));
    query.reset();
    return out;
  }

  void write(int64_t revision, const std::vector<StoredValue>& entries,
             const std::vector<std::string>& deletions) override {
    database_.transaction([&] {
      for (const StoredValue& entry : entries) {
        statements_.put.bind(1, entry.key).bind_blob(2, entry.value);
        statements_.put.bind(3, entry.create_revision).bind(4, entry.mod_revision).run();
      }
      for (const std::string& key : deletions) statements_.erase.bind(1, key).run();
      statements_.head.bind(1, revision).run();
    });
  }

 private:
  static StoredValue row(const Statement& query) {
    return {query.text(0), query.blob(1), query.integer(2), query.integer(3)};
  }

  struct Statements {
    explicit Statements(Database& database)
        : get((durable(database), database.prepare(std::string(kSelect) + "WHERE key = ?1"))),
          list_range(database.prepare(std::string(kSelect) + "WHERE key >= ?1 AND key < ?2 ORDER BY key")),
          list_from(database.prepare(std::string(kSelect) + "WHERE key >= ?1 ORDER BY key")),
          put(database.prepare("INSERT OR REPLACE INTO entries VALUES (?1, ?2, ?3, ?4)")),
          erase(database.prepare("DELETE FROM entries WHERE key = ?1")),
          head(database.prepare("UPDATE head SET revision = ?1")) {}
    // WAL alone survives a killed process; FULL makes a committed step survive a power cut too.
    static void durable(Database& database) { database.execute("PRAGMA synchronous=FULL"); }
    static constexpr const char* kSelect = "SELECT key, value, create_revision, mod_revision FROM entries ";
    Statement get, list_range, list_from, put, erase, head;
  };

  FileLock lock_;
  Database database_;
  Statements statements_;
};

}  // namespace

std::unique_ptr<StateStore> open_sqlite_store(const Path& file) {
  return std::make_unique<SqliteStore>(file);
}

}  // namespace dae::deployer
