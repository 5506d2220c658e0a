#include "mirror/registry/registry_store.h"

#include "mirror/registry/protocol.h"

namespace dae::mirror {
namespace {

Digest stored_name(const std::string& row, const std::string& sha256) {
  return Digest::parse(sha256.empty() ? row : sha256);
}

std::optional<ManifestRow> read_row(Statement& rows) {
  if (!rows.step()) return std::nullopt;
  return ManifestRow{ContentDigest::from_row(rows.text(0)), stored_name(rows.text(0), rows.text(3)), rows.text(1),
                     static_cast<uint64_t>(rows.integer(2))};
}

void remember(Database& db, const ContentDigest& digest, const Digest& stored) {
  if (digest.is_sha256()) return;
  Statement insert = db.prepare("INSERT OR REPLACE INTO digests(digest, sha256) VALUES(?,?)");
  insert.bind(1, digest.row()).bind(2, stored.hex()).run();
}

}  // namespace

bool is_immutable_repository(const std::string& repository) {
  return repository.rfind("apps/", 0) == 0;
}

bool RegistryStore::has_repository(const std::string& repository) {
  return catalog_.read([&](Database& db) {
    Statement row = db.prepare(
        "SELECT 1 FROM repository_blobs WHERE repository = ?1 UNION ALL SELECT 1 FROM manifests WHERE repository = ?1 "
        "UNION ALL SELECT 1 FROM tags WHERE repository = ?1 UNION ALL SELECT 1 FROM uploads WHERE repository = ?1 "
        "LIMIT 1");
    row.bind(1, repository);
    return row.step();
  });
}

std::optional<Digest> RegistryStore::blob(const std::string& repository, const ContentDigest& digest) {
  return catalog_.read_newest([&](Database& db) -> std::optional<Digest> {
    Statement row = db.prepare(
        "SELECT b.digest, ifnull(d.sha256, '') FROM repository_blobs b LEFT JOIN digests d ON d.digest = b.digest "
        "WHERE b.repository = ? AND b.digest = ?");
    row.bind(1, repository).bind(2, digest.row());
    if (!row.step()) return std::nullopt;
    return stored_name(row.text(0), row.text(1));
  });
}

std::optional<Digest> RegistryStore::blob_anywhere(const ContentDigest& digest) {
  return catalog_.read([&](Database& db) -> std::optional<Digest> {
    Statement other = db.prepare("SELECT sha256 FROM digests WHERE digest = ?");
    other.bind(1, digest.row());
    const bool known = other.step();
    if (!known && !digest.is_sha256()) return std::nullopt;
    Digest stored = known ? Digest::parse(other.text(0)) : digest.sha256();
    Statement row = db.prepare(
        "SELECT 1 FROM repository_blobs WHERE digest = ?1 UNION ALL SELECT 1 FROM places WHERE sha256 = ?2 LIMIT 1");
    row.bind(1, digest.row()).bind(2, stored.hex());
    if (!row.step()) return std::nullopt;
    return stored;
  });
}

void RegistryStore::link_blob(const std::string& repository, const ContentDigest& digest, const Digest& stored) {
  catalog_.write([&](Database& db) {
    remember(db, digest, stored);
    Statement insert = db.prepare("INSERT OR IGNORE INTO repository_blobs(repository, digest) VALUES(?,?)");
    insert.bind(1, repository).bind(2, digest.row()).run();
  });
}

bool RegistryStore::unlink_blob(const std::string& repository, const ContentDigest& digest) {
  bool removed = false;
  catalog_.write([&](Database& db) {
    Statement remove = db.prepare("DELETE FROM repository_blobs WHERE repository = ? AND digest = ?");
    remove.bind(1, repository).bind(2, digest.row()).run();
    removed = db.changes() > 0;
  });
  return removed;
}

void RegistryStore::point_tag(Database& db, const std::string& repository, const std::string& tag,
                              const ContentDigest& digest) {
  if (is_immutable_repository(repository)) {
    Statement held = db.prepare("SELECT digest FROM tags WHERE repository = ? AND tag = ?");
    held.bind(1, repository).bind(2, tag);
    if (held.step() && held.text(0) != digest.row()) {
      throw OciRefusal(409, "DENIED",
                       "tag `" + tag + "` is immutable: it names " + ContentDigest::from_row(held.text(0)).oci() +
                           " and never another digest");
    }
  }
  Statement upsert = db.prepare(
      "INSERT INTO tags(repository, tag, digest, updated_ms) VALUES(?,?,?,?) ON CONFLICT(repository, tag) DO UPDATE "
      "SET digest = excluded.digest, deleted = 0, updated_ms = excluded.updated_ms");
  upsert.bind(1, repository).bind(2, tag).bind(3, digest.row()).bind(4, clock_.wall_ms()).run();
}

void RegistryStore::put_manifest(const std::string& repository, const ManifestRow& row, const ManifestFacts& facts,
                                 const std::vector<std::string>& tags, const std::vector<ContentDigest>& held) {
  catalog_.write([&](Database& db) {
    Statement keep = db.prepare("INSERT OR IGNORE INTO repository_blobs(repository, digest) VALUES(?,?)");
    for (const ContentDigest& blob : held) keep.bind(1, repository).bind(2, blob.row()).run();
    for (const std::string& tag : tags) point_tag(db, repository, tag, row.digest);
    remember(db, row.digest, row.stored);
    Statement insert = db.prepare(
        "INSERT OR REPLACE INTO manifests(repository, digest, media_type, artifact_type, annotations, subject, "
        "size_bytes, pushed_ms) VALUES(?,?,?,?,?,?,?,?)");
    insert.bind(1, repository).bind(2, row.digest.row()).bind(3, row.media_type).bind(4, facts.artifact_type);
    insert.bind(5, facts.annotations).bind(6, facts.subject).bind(7, static_cast<int64_t>(row.size_bytes));
    insert.bind(8, clock_.wall_ms()).run();
  });
}

std::optional<ManifestRow> RegistryStore::manifest(const std::string& repository, const ContentDigest& digest) {
  return catalog_.read_newest([&](Database& db) {
    Statement rows = db.prepare(
        "SELECT m.digest, m.media_type, m.size_bytes, ifnull(d.sha256, '') FROM manifests m "
        "LEFT JOIN digests d ON d.digest = m.digest WHERE m.repository = ? AND m.digest = ?");
    rows.bind(1, repository).bind(2, digest.row());
    return read_row(rows);
  });
}

std::optional<ManifestRow> RegistryStore::tagged(const std::string& repository, const std::string& tag) {
  return catalog_.read_newest([&](Database& db) {
    Statement rows = db.prepare(
        "SELECT m.digest, m.media_type, m.size_bytes, ifnull(d.sha256, '') FROM tags t JOIN manifests m "
        "ON m.repository = t.repository AND m.digest = t.digest LEFT JOIN digests d ON d.digest = m.digest WHERE "
        "t.repository = ? AND t.tag = ? AND NOT "
        "t.deleted");
    rows.bind(1, repository).bind(2, tag);
    return read_row(rows);
  });
}

bool RegistryStore::delete_manifest(const std::string& repository, const ContentDigest& digest) {
  bool removed = false;
  catalog_.write([&](Database& db) {
    db.prepare("DELETE FROM manifests WHERE repository = ? AND digest = ?")
        .bind(1, repository)
        .bind(2, digest.row())
        .run();
    removed = db.changes() > 0;
    db.prepare("UPDATE tags SET deleted = 1 WHERE repository = ? AND digest = ?")
        .bind(1, repository)
        .bind(2, digest.row())
        .run();
  });
  return removed;
}

bool RegistryStore::delete_tag(const std::string& repository, const std::string& tag) {
  bool removed = false;
  catalog_.write([&](Database& db) {
    db.prepare("UPDATE tags SET deleted = 1 WHERE repository = ? AND tag = ? AND NOT deleted")
        .bind(1, repository)
        .bind(2, tag)
        .run();
    removed = db.changes() > 0;
  });
  return removed;
}

std::vector<std::string> RegistryStore::tags(const std::string& repository, const std::string& last, int64_t limit) {
  return catalog_.read([&](Database& db) {
    std::vector<std::string> tags;
    Statement rows =
        db.prepare("SELECT tag FROM tags WHERE repository = ? AND tag > ? AND NOT deleted ORDER BY tag LIMIT ?");
    rows.bind(1, repository).bind(2, last).bind(3, limit);
    while (rows.step()) tags.push_back(rows.text(0));
    return tags;
  });
}

Value RegistryStore::referrers(const std::string& repository, const std::string& subject,
                               const std::string& artifact_type) {
  return catalog_.read([&](Database& db) {
    Value list = Value::array();
    Statement rows = db.prepare(
        "SELECT digest, media_type, size_bytes, artifact_type, annotations FROM manifests "
        "WHERE repository = ?1 AND subject = ?2 AND (?3 = '' OR artifact_type = ?3) ORDER BY digest");
    rows.bind(1, repository).bind(2, subject).bind(3, artifact_type);
    while (rows.step()) {
      Value descriptor = Value::object({{"mediaType", rows.text(1)},
                                        {"digest", ContentDigest::from_row(rows.text(0)).oci()},
                                        {"size", rows.integer(2)}});
      if (!rows.text(3).empty()) descriptor.set("artifactType", rows.text(3));
      if (rows.text(4) != "{}") descriptor.set("annotations", parse_json(rows.text(4), "catalog").root);
      list.push_back(std::move(descriptor));
    }
    return list;
  });
}

std::vector<std::string> RegistryStore::repositories(const std::string& last, int64_t limit) {
  return catalog_.read([&](Database& db) {
    std::vector<std::string> names;
    // From one name to the next by the key: a repository may have very many manifests.
    Statement next = db.prepare("SELECT min(repository) FROM manifests WHERE repository > ?");
    std::string name = last;
    while (static_cast<int64_t>(names.size()) < limit) {
      next.bind(1, name);
      if (!next.step() || next.is_null(0)) break;
      names.push_back(name = next.text(0));
      next.reset();
    }
    return names;
  });
}

std::vector<RepositoryCount> RegistryStore::counts() {
  return catalog_.read([&](Database& db) {
    std::vector<RepositoryCount> counts;
    Statement rows = db.prepare(
        "SELECT m.repository, count(*), (SELECT count(*) FROM tags t WHERE t.repository = m.repository AND NOT "
        "deleted) "
        "FROM manifests m GROUP BY m.repository ORDER BY m.repository LIMIT 1000");
    while (rows.step()) counts.push_back({rows.text(0), rows.integer(1), rows.integer(2)});
    return counts;
  });
}

}  // namespace dae::mirror
