#include "mirror/index/page_store.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/gzip.h"

namespace dae::mirror {
namespace {

constexpr size_t kDocumentLimitBytes = 256u << 20;
constexpr size_t kHeldFiles = 20'000;  // of documents in memory, some 600 bytes each
constexpr size_t kOfADocument = 2;     // what it takes without its files, in files

void touch_pages_with(Database& db, const Digest& digest) {
  Statement touch = db.prepare(
      "UPDATE projects SET revision = revision + 1, changed = (SELECT max(changed) + 1 FROM projects) "
      "WHERE (index_name, name) IN "
      "(SELECT index_name, project FROM places WHERE sha256 = ?)");
  touch.bind(1, digest.hex()).run();
}

}  // namespace

std::optional<ProjectRow> PageStore::find(const std::string& index, const std::string& project) {
  return catalog_.read([&](Database& db) -> std::optional<ProjectRow> {
    Statement row = db.prepare(
        "SELECT p.id, p.document, p.serial, p.etag, p.last_modified, ifnull(f.fetched_ms, 0), "
        "ifnull(f.fresh_until_ms, 0), p.revision FROM projects p LEFT JOIN freshness f ON f.index_name = p.index_name "
        "AND f.name = p.name WHERE p.index_name = ? AND p.name = ?");
    row.bind(1, index).bind(2, project);
    if (!row.step()) return std::nullopt;
    ProjectRow found;
    found.id = row.integer(0);
    found.document = row.text(1);
    found.present = !found.document.empty();
    found.serial = row.integer(2);
    found.etag = row.text(3);
    found.last_modified = row.text(4);
    found.fetched_ms = row.integer(5);
    found.fresh_until_ms = row.integer(6);
    found.revision = row.integer(7);
    return found;
  });
}

std::shared_ptr<const ProjectDocument> PageStore::document(const std::string& index, const std::string& project) {
  return catalog_.read([&](Database& db) -> std::shared_ptr<const ProjectDocument> {
    Statement row = db.prepare("SELECT document FROM projects WHERE index_name = ? AND name = ? AND document <> ''");
    row.bind(1, index).bind(2, project);
    return row.step() ? document(db, row.text(0)) : nullptr;
  });
}

std::string PageStore::document_name_at(const std::string& index, const std::string& project, int64_t revision) {
  return catalog_.read([&](Database& db) {
    Statement row = db.prepare(
        "SELECT document FROM entries WHERE index_name = ? AND name = ? AND from_revision <= ? "
        "AND (to_revision IS NULL OR to_revision > ?)");
    row.bind(1, index).bind(2, project).bind(3, revision).bind(4, revision);
    return row.step() ? row.text(0) : std::string();
  });
}

std::shared_ptr<const ProjectDocument> PageStore::document_at(const std::string& index, const std::string& project,
                                                              int64_t revision) {
  const std::string name = document_name_at(index, project, revision);
  return name.empty() ? nullptr : document(Digest::parse(name));
}

std::shared_ptr<const ProjectDocument> PageStore::document(const Digest& digest) {
  return catalog_.read([&](Database& db) { return document(db, digest.hex()); });
}

std::shared_ptr<const ProjectDocument> PageStore::document(Database& db, const std::string& sha256) {
  if (auto held = held_document(sha256)) return held;
  Statement row = db.prepare("SELECT gzipped FROM documents WHERE sha256 = ?");
  row.bind(1, sha256);
  if (!row.step()) throw Error(ErrorKind::not_found, "the catalog has no such document", sha256);
  const std::string text = gunzip(row.blob(0), kDocumentLimitBytes);
  if (Digest::of(text).hex() != sha256) {
    throw Error(ErrorKind::verification, "a document of the catalog is not what its name says", sha256);
  }
  auto document = std::make_shared<const ProjectDocument>(parse_document(text, sha256));
  std::lock_guard lock(recent_mutex_);
  if (by_digest_.contains(sha256)) return document;
  recent_.emplace_front(sha256, document);
  by_digest_[sha256] = recent_.begin();
  held_files_ += document->page.files.size() + kOfADocument;
  while (held_files_ > kHeldFiles && recent_.size() > 1) {
    held_files_ -= recent_.back().second->page.files.size() + kOfADocument;
    by_digest_.erase(recent_.back().first);
    recent_.pop_back();
  }
  return document;
}

std::shared_ptr<const ProjectDocument> PageStore::held_document(const std::string& sha256) {
  std::lock_guard lock(recent_mutex_);
  const auto held = by_digest_.find(sha256);
  if (held == by_digest_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, held->second);
  return held->second->second;
}

void PageStore::postpone(int64_t project_id, int64_t fresh_until_ms) {
  catalog_.write_local([&](Database& db) {
    Statement upsert = db.prepare(
        "INSERT INTO freshness(index_name, name, fetched_ms, fresh_until_ms) "
        "SELECT index_name, name, 0, ?1 FROM projects WHERE id = ?2 "
        "ON CONFLICT DO UPDATE SET fresh_until_ms = excluded.fresh_until_ms");
    upsert.bind(1, fresh_until_ms).bind(2, project_id).run();
  });
}

resolver::ProjectPage PageStore::load(const ProjectRow& row, const std::string& project) {
  resolver::ProjectPage page;
  page.name = project;
  if (row.document.empty()) return page;
  page = document(Digest::parse(row.document))->page;
  fill_in_what_was_learned(page);
  return page;
}

void PageStore::fill_in_what_was_learned(resolver::ProjectPage& page) {
  catalog_.read([&](Database& db) {
    Statement known = db.prepare("SELECT size_bytes, metadata_sha256 FROM known WHERE sha256 = ?");
    for (resolver::IndexFile& file : page.files) {
      if (file.size_bytes && !file.metadata_sha256.empty()) continue;
      known.bind(1, file.sha256);
      if (known.step()) {
        if (!file.size_bytes && !known.is_null(0)) file.size_bytes = static_cast<uint64_t>(known.integer(0));
        if (file.metadata_sha256.empty()) file.metadata_sha256 = known.text(1);
      }
      known.reset();
    }
  });
}

std::vector<std::string> PageStore::names(const std::string& index) {
  return catalog_.read([&](Database& db) {
    std::vector<std::string> names;
    Statement rows = db.prepare("SELECT name FROM projects WHERE index_name = ? AND document <> '' ORDER BY name");
    rows.bind(1, index);
    while (rows.step()) names.push_back(rows.text(0));
    return names;
  });
}

std::vector<std::string> PageStore::names_at(const std::string& index, int64_t revision) {
  return catalog_.read([&](Database& db) {
    std::vector<std::string> names;
    Statement rows = db.prepare(
        "SELECT name FROM entries WHERE index_name = ? AND from_revision <= ? "
        "AND (to_revision IS NULL OR to_revision > ?) ORDER BY name");
    rows.bind(1, index).bind(2, revision).bind(3, revision);
    while (rows.step()) names.push_back(rows.text(0));
    return names;
  });
}

int64_t PageStore::listed_since(const std::string& index, const std::string& project) {
  return catalog_.read([&](Database& db) {
    Statement row =
        db.prepare("SELECT from_revision FROM entries WHERE index_name = ? AND name = ? AND to_revision IS NULL");
    row.bind(1, index).bind(2, project);
    return row.step() ? row.integer(0) : 0;
  });
}

PageStore::Names PageStore::names_since(const std::string& index) {
  return catalog_.read([&](Database& db) {
    Names out;
    Statement rows = db.prepare(
        "SELECT name, from_revision FROM entries WHERE index_name = ? AND to_revision IS NULL ORDER BY name");
    rows.bind(1, index);
    while (rows.step()) {
      out.names.push_back(rows.text(0));
      out.since.push_back(rows.integer(1));
    }
    return out;
  });
}

std::vector<FileRow> PageStore::find_file(const Digest& digest, const std::string& name) {
  return catalog_.read([&](Database& db) {
    Statement known = db.prepare("SELECT metadata_sha256 FROM known WHERE sha256 = ?");
    known.bind(1, digest.hex());
    const std::string known_metadata = known.step() ? known.text(0) : "";
    std::vector<FileRow> found;
    // What is listed now comes before what only a snapshot lists.
    Statement rows = db.prepare(
        "SELECT p.index_name, p.project, h.document, 0 AS frozen FROM places p JOIN projects h "
        "ON h.index_name = p.index_name AND h.name = p.project WHERE p.sha256 = ?1 AND p.file = ?2 AND h.document <> "
        "'' "
        "UNION SELECT p.index_name, p.project, e.document, 1 FROM places p JOIN snapshots s "
        "ON s.index_name = p.index_name JOIN entries e ON e.index_name = p.index_name AND e.name = p.project "
        "AND e.from_revision <= s.revision AND e.to_revision > s.revision "
        "WHERE p.sha256 = ?1 AND p.file = ?2 ORDER BY 4, 1, 2");
    rows.bind(1, digest.hex()).bind(2, name);
    while (rows.step()) {
      const auto listing = document(db, rows.text(2));
      const auto& files = listing->page.files;
      const auto file = std::ranges::find_if(
          files, [&](const resolver::IndexFile& one) { return one.name == name && one.sha256 == digest.hex(); });
      if (file == files.end()) continue;
      found.push_back({rows.text(0), rows.text(1), file->url, file->size_bytes, file->has_metadata,
                       file->metadata_sha256, known_metadata, listing});
    }
    return found;
  });
}

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

// Counted here: `places` is in the order of digests, so that SQLite would read all of it for each index, or sort it.
std::vector<ProjectCount> PageStore::counts() {
  return catalog_.read([&](Database& db) {
    std::map<std::string, int64_t> files;
    Statement places = db.prepare("SELECT index_name FROM places");
    while (places.step()) files[places.text(0)] += 1;
    std::vector<ProjectCount> counts;
    Statement rows = db.prepare(
        "SELECT index_name, count(*) FROM projects WHERE document <> '' GROUP BY index_name ORDER BY index_name");
    while (rows.step()) counts.push_back({rows.text(0), rows.integer(1), files[rows.text(0)]});
    return counts;
  });
}

}  // namespace dae::mirror
