// The half of PageStore that writes.
#include <map>
#include <set>

#include "base/gzip.h"
#include "base/log.h"
#include "mirror/index/page_store.h"

namespace dae::mirror {
namespace {

using Files = std::set<std::pair<std::string, std::string>>;  // sha256, name

Files files_of(const ProjectDocument& document) {
  Files files;
  for (const resolver::IndexFile& file : document.page.files) files.emplace(file.sha256, file.name);
  return files;
}

// An index may not change a file under its name; when it does, somebody should look.
void warn_of_changed_files(const ProjectDocument& before, const ProjectDocument& after) {
  std::map<std::string, std::string> known;
  for (const resolver::IndexFile& file : before.page.files) known[file.name] = file.sha256;
  for (const resolver::IndexFile& file : after.page.files) {
    const auto old = known.find(file.name);
    if (old == known.end() || old->second == file.sha256) continue;
    log_warn("upstream changed a file under its name",
             {{"project", after.page.name}, {"file", file.name}, {"was", old->second}, {"is", file.sha256}});
  }
}

std::string head_of(Database& db, const std::string& index, const std::string& project) {
  Statement row = db.prepare("SELECT document FROM projects WHERE index_name = ? AND name = ?");
  row.bind(1, index).bind(2, project);
  return row.step() ? row.text(0) : "";
}

int64_t last_revision(Database& db, const std::string& index) {
  Statement row = db.prepare("SELECT max(revision) FROM revisions WHERE index_name = ?");
  row.bind(1, index);
  return row.step() ? row.integer(0) : 0;
}

bool is_in_a_snapshot(Database& db, const std::string& index, const std::string& project) {
  Statement row = db.prepare(
      "SELECT 1 FROM snapshots s JOIN entries e ON e.index_name = s.index_name AND e.name = ? "
      "AND e.from_revision <= s.revision AND (e.to_revision IS NULL OR e.to_revision > s.revision) "
      "WHERE s.index_name = ?");
  row.bind(1, project).bind(2, index);
  return row.step();
}

// Before the entry of `before` ends. The files of a project that a snapshot lists keep their places.
void move_places(Database& db, const std::string& index, const std::string& project, const Files& before,
                 const Files& after) {
  const auto each_missing = [&](const Files& these, const Files& from, const char* sql) {
    Statement statement = db.prepare(sql);
    for (const auto& [sha256, name] : these) {
      if (from.contains({sha256, name})) continue;
      statement.bind(1, sha256).bind(2, name).bind(3, index).bind(4, project).run();
    }
  };
  if (!is_in_a_snapshot(db, index, project)) {
    each_missing(before, after, "DELETE FROM places WHERE sha256 = ? AND file = ? AND index_name = ? AND project = ?");
  }
  each_missing(after, before, "INSERT OR IGNORE INTO places(sha256, file, index_name, project) VALUES(?,?,?,?)");
}

}  // namespace

struct PageStore::Prepared {
  std::string before, after;  // documents; "" none
  std::string packed;
  size_t size_bytes = 0;
  Files old_files, new_files;
};

PageStore::Prepared PageStore::prepare(Database& db, const std::string& index, const ProjectChange& change,
                                       int64_t now_ms) {
  Prepared out;
  out.before = head_of(db, index, change.project);
  const auto old = out.before.empty() ? nullptr : document(db, out.before);
  if (old) out.old_files = files_of(*old);
  if (!change.document) return out;
  ProjectDocument next = *change.document;
  next.page.name = change.project;
  std::map<std::string, int64_t> first_seen_ms;
  for (resolver::IndexFile& file : next.page.files) {
    file.sha256 = Digest::parse(file.sha256).hex();
    if (!Digest::is_valid(file.metadata_sha256)) file.metadata_sha256.clear();
    int64_t& seen = first_seen_ms[file.name];
    if (const auto given = next.first_seen_ms.find(file.name); given != next.first_seen_ms.end()) seen = given->second;
    if (seen != 0) continue;
    seen = now_ms;
    // Other bytes under a name are another file: they wait like any that was never seen.
    if (!old || !out.old_files.contains({file.sha256, file.name})) continue;
    if (const auto kept = old->first_seen_ms.find(file.name); kept != old->first_seen_ms.end()) seen = kept->second;
  }
  next.first_seen_ms = std::move(first_seen_ms);
  if (old) warn_of_changed_files(*old, next);
  const std::string text = write_document(next);
  out.after = Digest::of(text).hex();
  out.size_bytes = text.size();
  out.new_files = files_of(next);
  if (out.after != out.before) out.packed = gzip(text);
  return out;
}

int64_t PageStore::change(const std::string& index, const std::vector<ProjectChange>& changes, int64_t now_ms,
                          const std::string& reason, const std::function<void(Database&)>& also) {
  int64_t revision = 0;
  catalog_.write([&](Database& db) {
    revision = last_revision(db, index);
    bool is_new = false;
    for (const ProjectChange& one : changes) {
      const Prepared prepared = prepare(db, index, one, now_ms);
      const bool same = prepared.before == prepared.after;
      Statement head = db.prepare(
          "INSERT INTO projects(index_name, name, document, serial, changed) "
          "VALUES(?1,?2,?3,?4,(SELECT ifnull(max(changed), 0) + 1 FROM projects)) "
          "ON CONFLICT(index_name, name) DO UPDATE SET document = excluded.document, serial = excluded.serial, "
          "revision = revision + ?5, changed = CASE ?5 WHEN 0 THEN changed ELSE excluded.changed END");
      head.bind(1, index).bind(2, one.project).bind(3, prepared.after).bind(4, one.serial);
      head.bind(5, int64_t{!same}).run();
      if (same) continue;
      if (!is_new) {
        db.prepare("INSERT INTO revisions(index_name, revision, made_ms, reason) VALUES(?,?,?,?)")
            .bind(1, index)
            .bind(2, ++revision)
            .bind(3, now_ms)
            .bind(4, reason)
            .run();
        is_new = true;
      }
      move_places(db, index, one.project, prepared.old_files, prepared.new_files);
      db.prepare("UPDATE entries SET to_revision = ? WHERE index_name = ? AND name = ? AND to_revision IS NULL")
          .bind(1, revision)
          .bind(2, index)
          .bind(3, one.project)
          .run();
      if (prepared.after.empty()) continue;
      db.prepare("INSERT OR IGNORE INTO documents(sha256, size_bytes, gzipped) VALUES(?,?,?)")
          .bind(1, prepared.after)
          .bind(2, static_cast<int64_t>(prepared.size_bytes))
          .bind_blob(3, prepared.packed)
          .run();
      db.prepare("INSERT INTO entries(index_name, name, from_revision, document, serial) VALUES(?,?,?,?,?)")
          .bind(1, index)
          .bind(2, one.project)
          .bind(3, revision)
          .bind(4, prepared.after)
          .bind(5, one.serial)
          .run();
    }
    if (also) also(db);
  });
  return revision;
}

int64_t PageStore::revision(const std::string& index) {
  return catalog_.read([&](Database& db) { return last_revision(db, index); });
}

int64_t PageStore::apply(const std::string& index, const std::vector<ProjectChange>& changes, int64_t now_ms,
                         const std::string& reason, const std::function<void(Database&)>& also) {
  return change(index, changes, now_ms, reason, also);
}

void PageStore::store(const std::string& index, const std::string& project, const UpstreamPage& page, int64_t now_ms,
                      int64_t fresh_until_ms) {
  std::vector<ProjectChange> changes;
  if (page.kind == UpstreamPage::Kind::absent) changes.push_back({project, std::nullopt});
  if (page.kind == UpstreamPage::Kind::page) changes.push_back({project, ProjectDocument{page.page, "", {}}});
  const auto note_freshness = [&](Database& db) {
    db.prepare("INSERT OR REPLACE INTO freshness(index_name, name, fetched_ms, fresh_until_ms) VALUES(?,?,?,?)")
        .bind(1, index)
        .bind(2, project)
        .bind(3, now_ms)
        .bind(4, fresh_until_ms)
        .run();
  };
  if (page.kind == UpstreamPage::Kind::unchanged) {
    catalog_.write_local(note_freshness);
    return;
  }
  change(index, changes, now_ms, "pull-through", [&](Database& db) {
    note_freshness(db);
    db.prepare("UPDATE projects SET etag = ?, last_modified = ? WHERE index_name = ? AND name = ?")
        .bind(1, page.etag)
        .bind(2, page.last_modified)
        .bind(3, index)
        .bind(4, project)
        .run();
  });
}

}  // namespace dae::mirror
