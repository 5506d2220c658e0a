#include "mirror/care/old_rows.h"

#include <tuple>

#include "base/error.h"

namespace dae::mirror {
namespace {

constexpr int64_t kAtOnce = 500;

// Of an entry `e`; ?1: until when a removal is old. A revision that cannot be found is not old.
constexpr const char* kNeeded =
    "(e.to_revision IS NULL OR NOT EXISTS(SELECT 1 FROM revisions r WHERE r.index_name = e.index_name "
    "AND r.revision = e.to_revision AND r.made_ms < ?1) OR EXISTS(SELECT 1 FROM snapshots s WHERE "
    "s.index_name = e.index_name AND s.revision >= e.from_revision AND s.revision < e.to_revision))";

using EntryKey = std::tuple<std::string, std::string, int64_t>;

std::vector<EntryKey> old_entries_after(Database& db, const EntryKey& last, int64_t removed_before_ms) {
  std::vector<EntryKey> keys;
  Statement rows = db.prepare(
      "SELECT e.index_name, e.name, e.from_revision FROM entries e WHERE "
      "(e.index_name, e.name, e.from_revision) > (?2, ?3, ?4) AND NOT " +
      std::string(kNeeded) + " ORDER BY e.index_name, e.name, e.from_revision LIMIT ?5");
  rows.bind(1, removed_before_ms).bind(2, std::get<0>(last)).bind(3, std::get<1>(last)).bind(4, std::get<2>(last));
  rows.bind(5, kAtOnce);
  while (rows.step()) keys.emplace_back(rows.text(0), rows.text(1), rows.integer(2));
  return keys;
}

// Asked again in the transaction: a snapshot may have been made of it.
void remove_entries(Database& db, const std::vector<EntryKey>& keys, int64_t removed_before_ms) {
  Statement remove =
      db.prepare("DELETE FROM entries AS e WHERE e.index_name = ?2 AND e.name = ?3 AND e.from_revision = ?4 AND NOT " +
                 std::string(kNeeded));
  for (const auto& [index, name, from] : keys) {
    remove.bind(1, removed_before_ms).bind(2, index).bind(3, name).bind(4, from).run();
  }
}

// Finds rows by key, in pages, and removes them. `find` gives those after a key, in order.
template <typename Key>
uint64_t remove_in_pages(const CareScope& scope, bool dry_run,
                         const std::function<std::vector<Key>(Database&, const Key&)>& find,
                         const std::function<void(Database&, const std::vector<Key>&)>& remove) {
  uint64_t count = 0;
  Key last{};
  while (!scope.stop()) {
    const std::vector<Key> keys = scope.catalog.read([&](Database& db) { return find(db, last); });
    if (keys.empty()) break;
    if (!dry_run) scope.catalog.write([&](Database& db) { remove(db, keys); });
    count += keys.size();
    last = keys.back();
  }
  return count;
}

std::vector<std::string> texts(Statement& rows) {
  std::vector<std::string> out;
  while (rows.step()) out.push_back(rows.text(0));
  return out;
}

// Rows of `table` whose `column` names a file that nothing needs.
uint64_t remove_of_dead(const CareScope& scope, const LiveBlobs& live, bool dry_run, const std::string& table,
                        const std::string& column) {
  uint64_t count = 0;
  std::string last;
  while (!scope.stop()) {
    const std::vector<std::string> page = scope.catalog.read([&](Database& db) {
      Statement rows =
          db.prepare("SELECT DISTINCT " + column + " FROM " + table + " WHERE " + column + " > ? ORDER BY 1 LIMIT ?");
      rows.bind(1, last).bind(2, kAtOnce);
      return texts(rows);
    });
    if (page.empty()) break;
    last = page.back();
    std::vector<std::string> old;
    for (const std::string& sha256 : page) {
      if (!live.contains(Digest::parse(sha256))) old.push_back(sha256);
    }
    count += old.size();
    if (dry_run || old.empty()) continue;
    scope.catalog.write([&](Database& db) {
      Statement remove = db.prepare("DELETE FROM " + table + " WHERE " + column +
                                    " = ?1 AND NOT EXISTS(SELECT 1 FROM places WHERE sha256 = ?1)");
      for (const std::string& sha256 : old) remove.bind(1, sha256).run();
    });
  }
  return count;
}

}  // namespace

bool is_needed_document(Catalog& catalog, const std::string& document, int64_t removed_before_ms) {
  return catalog.read([&](Database& db) {
    Statement row =
        db.prepare("SELECT 1 FROM entries e WHERE e.document = ?2 AND " + std::string(kNeeded) + " LIMIT 1");
    row.bind(1, removed_before_ms).bind(2, document);
    return row.step();
  });
}

uint64_t remove_old_entries(const CareScope& scope, int64_t removed_before_ms, bool dry_run) {
  return remove_in_pages<EntryKey>(
      scope, dry_run,
      [&](Database& db, const EntryKey& last) { return old_entries_after(db, last, removed_before_ms); },
      [&](Database& db, const std::vector<EntryKey>& keys) { remove_entries(db, keys, removed_before_ms); });
}

uint64_t remove_old_documents(const CareScope& scope, int64_t removed_before_ms, bool dry_run) {
  const auto find = [&](Database& db, const std::string& last) {
    Statement rows = db.prepare(
        "SELECT d.sha256 FROM documents d WHERE d.sha256 > ?2 AND NOT EXISTS(SELECT 1 FROM entries e WHERE "
        "e.document = d.sha256 AND " +
        std::string(kNeeded) + ") ORDER BY d.sha256 LIMIT ?3");
    rows.bind(1, removed_before_ms).bind(2, last).bind(3, kAtOnce);
    return texts(rows);
  };
  const auto remove = [](Database& db, const std::vector<std::string>& names) {
    Statement statement =
        db.prepare("DELETE FROM documents WHERE sha256 = ?1 AND NOT EXISTS(SELECT 1 FROM entries WHERE document = ?1)");
    for (const std::string& name : names) statement.bind(1, name).run();
  };
  return remove_in_pages<std::string>(scope, dry_run, find, remove);
}

uint64_t remove_learned(const CareScope& scope, const LiveBlobs& live, bool dry_run) {
  return remove_of_dead(scope, live, dry_run, "known", "sha256") +
         remove_of_dead(scope, live, dry_run, "provenance", "file");
}

}  // namespace dae::mirror
