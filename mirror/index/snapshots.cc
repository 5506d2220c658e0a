#include "mirror/index/snapshots.h"

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"

namespace dae::mirror {
namespace {

Snapshot read_row(const Statement& row) {
  return {row.text(0), row.text(1), row.integer(2), row.integer(3), row.text(4)};
}

constexpr const char* kColumns = "SELECT id, index_name, revision, made_ms, note FROM snapshots ";

// "pypi-20261121T143052Z"
std::string name_of(const std::string& index, int64_t now_ms) {
  std::string time = format_utc(now_ms);
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  return index + "-" + time;
}

}  // namespace

bool is_snapshot_id(std::string_view id) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  return !id.empty() && id.size() <= 128 && id.front() != '.' && std::ranges::all_of(id, fits);
}

Snapshot Snapshots::make(const std::string& index, std::string id, const std::string& note, int64_t now_ms) {
  if (id.empty()) id = name_of(index, now_ms);
  if (!is_snapshot_id(id)) {
    throw Error(ErrorKind::usage, "not the name of a snapshot", id, "letters, digits, `-`, `_`, `.`; at most 128");
  }
  Snapshot made{std::move(id), index, 0, now_ms, note};
  catalog_.write([&](Database& db) {
    Statement last = db.prepare("SELECT max(revision) FROM revisions WHERE index_name = ?");
    last.bind(1, index);
    if (last.step()) made.revision = last.integer(0);
    if (made.revision == 0) throw Error(ErrorKind::not_found, "this index lists nothing yet", index);
    Statement there = db.prepare("SELECT 1 FROM snapshots WHERE id = ?");
    there.bind(1, made.id);
    if (there.step())
      throw Error(ErrorKind::refused, "there is a snapshot of this name, and snapshots do not change", made.id);
    Statement insert = db.prepare("INSERT INTO snapshots(id, index_name, revision, made_ms, note) VALUES(?,?,?,?,?)");
    insert.bind(1, made.id).bind(2, index).bind(3, made.revision).bind(4, now_ms).bind(5, note).run();
  });
  return made;
}

std::optional<Snapshot> Snapshots::find(const std::string& id) {
  return catalog_.read([&](Database& db) -> std::optional<Snapshot> {
    Statement row = db.prepare(std::string(kColumns) + "WHERE id = ?");
    row.bind(1, id);
    if (!row.step()) return std::nullopt;
    return read_row(row);
  });
}

std::vector<Snapshot> Snapshots::list() {
  return catalog_.read([&](Database& db) {
    std::vector<Snapshot> out;
    Statement rows = db.prepare(std::string(kColumns) + "ORDER BY made_ms, id");
    while (rows.step()) out.push_back(read_row(rows));
    return out;
  });
}

bool Snapshots::remove(const std::string& id) {
  bool was_there = false;
  catalog_.write([&](Database& db) {
    db.prepare("DELETE FROM snapshots WHERE id = ?").bind(1, id).run();
    was_there = db.changes() != 0;
  });
  return was_there;
}

}  // namespace dae::mirror
