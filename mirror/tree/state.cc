#include "mirror/tree/state.h"

namespace dae::mirror {
namespace {

const std::vector<std::string> kMigrations = {R"sql(
CREATE TABLE projects(
  name TEXT PRIMARY KEY,
  stamp TEXT NOT NULL,
  next_ms INTEGER,
  denied INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX projects_to_write ON projects(name) WHERE stamp = '';
CREATE INDEX projects_by_time ON projects(next_ms) WHERE next_ms IS NOT NULL;
CREATE INDEX projects_denied ON projects(name) WHERE denied = 1;
CREATE TABLE marks(
  project TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  file TEXT NOT NULL,
  metadata_sha256 TEXT NOT NULL,
  PRIMARY KEY(project, sha256, file)) WITHOUT ROWID;
)sql"};

constexpr const char* kColumns = "SELECT name, stamp, next_ms, denied FROM projects ";

TreeRow read_row(const Statement& row) {
  return {row.text(0), row.text(1), row.integer(2), row.integer(3) != 0};
}

}  // namespace

TreeState::TreeState(const Path& file) : database_(Database::open(file, kMigrations)) {
  // After a restart of the machine the whole tree is made anew.
  database_.execute("PRAGMA synchronous = OFF");
}

std::vector<TreeRow> TreeState::rows_after(const std::string& project, size_t most) {
  std::vector<TreeRow> out;
  Statement rows = database_.prepare(std::string(kColumns) + "WHERE name > ? ORDER BY name LIMIT ?");
  rows.bind(1, project).bind(2, static_cast<int64_t>(most));
  while (rows.step()) out.push_back(read_row(rows));
  return out;
}

std::optional<TreeRow> TreeState::find(const std::string& project) {
  Statement row = database_.prepare(std::string(kColumns) + "WHERE name = ?");
  row.bind(1, project);
  if (!row.step()) return std::nullopt;
  return read_row(row);
}

std::vector<std::string> TreeState::names(Statement rows) {
  std::vector<std::string> out;
  while (rows.step()) out.push_back(rows.text(0));
  return out;
}

std::vector<std::string> TreeState::to_write(size_t most) {
  Statement rows = database_.prepare("SELECT name FROM projects WHERE stamp = '' ORDER BY name LIMIT ?");
  rows.bind(1, static_cast<int64_t>(most));
  return names(std::move(rows));
}

size_t TreeState::count_to_write() {
  Statement row = database_.prepare("SELECT count(*) FROM projects WHERE stamp = ''");
  row.step();
  return static_cast<size_t>(row.integer(0));
}

std::vector<std::string> TreeState::due(int64_t now_ms, size_t most) {
  Statement rows = database_.prepare("SELECT name FROM projects WHERE next_ms <= ? ORDER BY next_ms, name LIMIT ?");
  rows.bind(1, now_ms).bind(2, static_cast<int64_t>(most));
  return names(std::move(rows));
}

std::vector<std::string> TreeState::denied() {
  return names(database_.prepare("SELECT name FROM projects WHERE denied = 1 ORDER BY name"));
}

std::vector<TreeMark> TreeState::marks(const std::string& project) {
  std::vector<TreeMark> out;
  Statement rows =
      database_.prepare("SELECT sha256, file, metadata_sha256 FROM marks WHERE project = ? ORDER BY sha256, file");
  rows.bind(1, project);
  while (rows.step()) out.push_back({rows.text(0), rows.text(1), rows.text(2)});
  return out;
}

void TreeState::outdate(const std::vector<std::string>& projects) {
  database_.transaction([&] {
    Statement row = database_.prepare(
        "INSERT INTO projects(name, stamp) VALUES(?, '') ON CONFLICT(name) DO UPDATE SET stamp = '', next_ms = NULL");
    for (const std::string& project : projects) row.bind(1, project).run();
  });
}

void TreeState::before(const std::vector<Writing>& writings) {
  database_.transaction([&] {
    Statement row =
        database_.prepare("INSERT INTO projects(name, stamp) VALUES(?, '') ON CONFLICT(name) DO UPDATE SET stamp = ''");
    Statement mark = database_.prepare("INSERT OR REPLACE INTO marks VALUES(?,?,?,?)");
    for (const Writing& writing : writings) {
      row.bind(1, writing.row.project).run();
      for (const TreeMark& one : writing.added) {
        mark.bind(1, writing.row.project).bind(2, one.sha256).bind(3, one.file).bind(4, one.metadata_sha256).run();
      }
    }
  });
}

void TreeState::after(const std::vector<Writing>& writings) {
  database_.transaction([&] {
    Statement row = database_.prepare("UPDATE projects SET stamp = ?, next_ms = ?, denied = ? WHERE name = ?");
    Statement forget = database_.prepare("DELETE FROM projects WHERE name = ?");
    Statement mark = database_.prepare("DELETE FROM marks WHERE project = ? AND sha256 = ? AND file = ?");
    for (const auto& [to_store, added, removed, gone] : writings) {
      for (const TreeMark& one : removed) mark.bind(1, to_store.project).bind(2, one.sha256).bind(3, one.file).run();
      if (gone) {
        forget.bind(1, to_store.project).run();
        continue;
      }
      row.bind(1, to_store.stamp).bind(3, int64_t{to_store.denied}).bind(4, to_store.project);
      if (to_store.next_ms == 0) {
        row.bind_null(2).run();
      } else {
        row.bind(2, to_store.next_ms).run();
      }
    }
  });
}

}  // namespace dae::mirror
