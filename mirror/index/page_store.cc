#include "mirror/index/page_store.h"

#include <map>

#include "base/log.h"
#include "base/value.h"

namespace dae::mirror {
namespace {

// An index may not change a file under its name; when it does, somebody should look.
void warn_of_changed_files(Database& db, int64_t project_id, const std::string& project,
                           const resolver::ProjectPage& page) {
  std::map<std::string, std::string> before;
  Statement rows = db.prepare("SELECT name, sha256 FROM files WHERE project = ?");
  rows.bind(1, project_id);
  while (rows.step()) before[rows.text(0)] = rows.text(1);
  for (const resolver::IndexFile& file : page.files) {
    const auto old = before.find(file.name);
    if (old == before.end() || old->second == Digest::parse(file.sha256).hex()) continue;
    log_warn("upstream changed a file under its name",
             {{"project", project}, {"file", file.name}, {"was", old->second}, {"is", file.sha256}});
  }
}

std::string hashes_json(const resolver::IndexFile& file) {
  Value hashes = Value::object();
  for (const auto& [algorithm, hex] : file.hashes) hashes.set(algorithm, hex);
  return canonical_json(hashes);
}

void insert_files(Database& db, int64_t project_id, const resolver::ProjectPage& page) {
  Statement insert = db.prepare(
      "INSERT INTO files(project, position, name, url, sha256, hashes, size_bytes, requires_python, yanked, "
      "yanked_reason, upload_time, has_metadata, metadata_sha256) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)");
  int64_t position = 0;
  for (const resolver::IndexFile& file : page.files) {
    insert.bind(1, project_id).bind(2, position++).bind(3, file.name).bind(4, file.url);
    insert.bind(5, Digest::parse(file.sha256).hex()).bind(6, hashes_json(file));
    if (file.size_bytes) {
      insert.bind(7, static_cast<int64_t>(*file.size_bytes));
    } else {
      insert.bind_null(7);
    }
    insert.bind(8, file.requires_python).bind(9, int64_t{file.yanked}).bind(10, file.yanked_reason);
    insert.bind(11, file.upload_time).bind(12, int64_t{file.has_metadata});
    insert.bind(13, Digest::is_valid(file.metadata_sha256) ? Digest::parse(file.metadata_sha256).hex() : "");
    insert.run();
  }
}

int64_t project_id(Database& db, const std::string& index, const std::string& project) {
  Statement row = db.prepare("SELECT id FROM projects WHERE index_name = ? AND name = ?");
  row.bind(1, index).bind(2, project);
  return row.step() ? row.integer(0) : 0;
}

void replace_page(Database& db, int64_t id, const UpstreamPage& page, bool present) {
  db.prepare("DELETE FROM files WHERE project = ?").bind(1, id).run();
  if (present) insert_files(db, id, page.page);
  Statement update = db.prepare(
      "UPDATE projects SET present = ?, etag = ?, last_modified = ?, status = ?, status_reason = ?, "
      "revision = revision + 1 WHERE id = ?");
  update.bind(1, int64_t{present}).bind(2, page.etag).bind(3, page.last_modified).bind(4, page.page.status);
  update.bind(5, page.page.status_reason).bind(6, id).run();
}

resolver::IndexFile read_file_row(const Statement& row) {
  resolver::IndexFile file;
  file.name = row.text(0);
  file.url = row.text(1);
  file.sha256 = row.text(2);
  const Document hashes = parse_json(row.text(3), "catalog");
  for (const auto& [algorithm, hex] : hashes.root.as_object()) {
    file.hashes[algorithm] = hex.as_string();
  }
  file.hashes["sha256"] = file.sha256;
  if (!row.is_null(4)) file.size_bytes = static_cast<uint64_t>(row.integer(4));
  file.requires_python = row.text(5);
  file.yanked = row.integer(6) != 0;
  file.yanked_reason = row.text(7);
  file.upload_time = row.text(8);
  file.has_metadata = row.integer(9) != 0;
  file.metadata_sha256 = row.text(10).empty() ? row.text(11) : row.text(10);
  return file;
}

}  // namespace

std::optional<ProjectRow> PageStore::find(const std::string& index, const std::string& project) {
  return catalog_.read([&](Database& db) -> std::optional<ProjectRow> {
    Statement row = db.prepare(
        "SELECT id, present, etag, last_modified, fetched_ms, fresh_until_ms, revision FROM projects "
        "WHERE index_name = ? AND name = ?");
    row.bind(1, index).bind(2, project);
    if (!row.step()) return std::nullopt;
    ProjectRow found;
    found.id = row.integer(0);
    found.present = row.integer(1) != 0;
    found.etag = row.text(2);
    found.last_modified = row.text(3);
    found.fetched_ms = row.integer(4);
    found.fresh_until_ms = row.integer(5);
    found.revision = row.integer(6);
    return found;
  });
}

void PageStore::store(const std::string& index, const std::string& project, const UpstreamPage& page, int64_t now_ms,
                      int64_t fresh_until_ms) {
  const bool present = page.kind != UpstreamPage::Kind::absent;
  catalog_.write([&](Database& db) {
    Statement upsert = db.prepare(
        "INSERT INTO projects(index_name, name, present, fetched_ms, fresh_until_ms) VALUES(?,?,?,?,?) "
        "ON CONFLICT(index_name, name) DO UPDATE SET fetched_ms = excluded.fetched_ms, "
        "fresh_until_ms = excluded.fresh_until_ms");
    upsert.bind(1, index).bind(2, project).bind(3, int64_t{present}).bind(4, now_ms).bind(5, fresh_until_ms).run();
    if (page.kind == UpstreamPage::Kind::unchanged) return;
    const int64_t id = project_id(db, index, project);
    if (present) warn_of_changed_files(db, id, project, page.page);
    replace_page(db, id, page, present);
  });
}

void PageStore::postpone(int64_t project_id, int64_t fresh_until_ms) {
  catalog_.write([&](Database& db) {
    Statement update = db.prepare("UPDATE projects SET fresh_until_ms = ? WHERE id = ?");
    update.bind(1, fresh_until_ms).bind(2, project_id).run();
  });
}

resolver::ProjectPage PageStore::load(const ProjectRow& row, const std::string& project) {
  resolver::ProjectPage page;
  page.name = project;
  catalog_.read([&](Database& db) {
    Statement status = db.prepare("SELECT status, status_reason FROM projects WHERE id = ?");
    status.bind(1, row.id);
    if (status.step()) {
      page.status = status.text(0);
      page.status_reason = status.text(1);
    }
    Statement files = db.prepare(
        "SELECT f.name, f.url, f.sha256, f.hashes, coalesce(f.size_bytes, k.size_bytes), f.requires_python, f.yanked, "
        "f.yanked_reason, f.upload_time, f.has_metadata, f.metadata_sha256, coalesce(k.metadata_sha256, '') "
        "FROM files f LEFT JOIN known k ON k.sha256 = f.sha256 WHERE f.project = ? ORDER BY f.position");
    files.bind(1, row.id);
    while (files.step()) page.files.push_back(read_file_row(files));
  });
  return page;
}

std::vector<std::string> PageStore::names(const std::string& index) {
  return catalog_.read([&](Database& db) {
    std::vector<std::string> names;
    Statement rows = db.prepare("SELECT name FROM projects WHERE index_name = ? AND present ORDER BY name");
    rows.bind(1, index);
    while (rows.step()) names.push_back(rows.text(0));
    return names;
  });
}

std::vector<FileRow> PageStore::find_file(const Digest& digest, const std::string& name) {
  return catalog_.read([&](Database& db) {
    std::vector<FileRow> found;
    Statement rows = db.prepare(
        "SELECT p.index_name, p.name, f.url, f.size_bytes, f.has_metadata, f.metadata_sha256, "
        "coalesce(k.metadata_sha256, '') FROM files f JOIN projects p ON p.id = f.project "
        "LEFT JOIN known k ON k.sha256 = f.sha256 WHERE f.sha256 = ? AND f.name = ? ORDER BY p.index_name, p.name");
    rows.bind(1, digest.hex()).bind(2, name);
    while (rows.step()) {
      FileRow& row = found.emplace_back();
      row.index = rows.text(0);
      row.project = rows.text(1);
      row.url = rows.text(2);
      if (!rows.is_null(3)) row.size_bytes = static_cast<uint64_t>(rows.integer(3));
      row.has_metadata = rows.integer(4) != 0;
      row.metadata_sha256 = rows.text(5);
      row.known_metadata_sha256 = rows.text(6);
    }
    return found;
  });
}

namespace {

void touch_pages_with(Database& db, const Digest& digest) {
  Statement touch = db.prepare(
      "UPDATE projects SET revision = revision + 1 WHERE id IN (SELECT project FROM files WHERE sha256 = ?)");
  touch.bind(1, digest.hex()).run();
}

}  // namespace

void PageStore::learn_size(const Digest& digest, uint64_t size_bytes) {
  catalog_.write([&](Database& db) {
    Statement upsert = db.prepare(
        "INSERT INTO known(sha256, size_bytes) VALUES(?,?) "
        "ON CONFLICT(sha256) DO UPDATE SET size_bytes = excluded.size_bytes");
    upsert.bind(1, digest.hex()).bind(2, static_cast<int64_t>(size_bytes)).run();
    touch_pages_with(db, digest);
  });
}

void PageStore::learn_metadata(const Digest& digest, const Digest& metadata) {
  catalog_.write([&](Database& db) {
    Statement upsert = db.prepare(
        "INSERT INTO known(sha256, metadata_sha256) VALUES(?,?) "
        "ON CONFLICT(sha256) DO UPDATE SET metadata_sha256 = excluded.metadata_sha256");
    upsert.bind(1, digest.hex()).bind(2, metadata.hex()).run();
    touch_pages_with(db, digest);
  });
}

std::vector<ProjectCount> PageStore::counts() {
  return catalog_.read([&](Database& db) {
    std::vector<ProjectCount> counts;
    Statement rows = db.prepare(
        "SELECT p.index_name, count(DISTINCT p.id), count(f.project) FROM projects p "
        "LEFT JOIN files f ON f.project = p.id WHERE p.present GROUP BY p.index_name ORDER BY p.index_name");
    while (rows.step()) counts.push_back({rows.text(0), rows.integer(1), rows.integer(2)});
    return counts;
  });
}

}  // namespace dae::mirror
