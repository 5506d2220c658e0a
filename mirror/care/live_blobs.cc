#include "mirror/care/live_blobs.h"

#include <algorithm>

namespace dae::mirror {
namespace {

void add_documents(const CareScope& scope, const std::function<bool(const std::string&)>& is_needed, LiveBlobs& live) {
  for_each_document(scope.catalog, scope.pages, [&](const std::string& sha256, const ProjectDocument& document) {
    if (!is_needed(sha256)) return;
    for (const resolver::IndexFile& file : document.page.files) {
      live.add(Digest::parse(file.sha256));
      if (Digest::is_valid(file.metadata_sha256)) live.add(Digest::parse(file.metadata_sha256));
    }
  });
}

// Metadata that upstream did not announce, and attestations. Reading holds no writer up, however long it takes.
void add_learned(Database& db, LiveBlobs& live) {
  std::vector<Digest> metadata;
  Statement rows = db.prepare(
      "SELECT sha256, metadata_sha256 FROM known WHERE metadata_sha256 <> '' "
      "UNION ALL SELECT file, sha256 FROM provenance");
  while (rows.step()) {
    if (live.contains(Digest::parse(rows.text(0)))) metadata.push_back(Digest::parse(rows.text(1)));
  }
  for (const Digest& digest : metadata) live.add(digest);
}

void add_repositories(Database& db, LiveBlobs& live) {
  for (const char* table : {"repository_blobs", "manifests"}) {
    Statement rows = db.prepare("SELECT ifnull(d.sha256, r.digest) FROM " + std::string(table) +
                                " r LEFT JOIN digests d ON d.digest = r.digest");
    while (rows.step()) live.add(Digest::parse(rows.text(0)));
  }
}

}  // namespace

uint64_t LiveBlobs::head_of(const Digest& digest) {
  return std::stoull(digest.hex().substr(0, 16), nullptr, 16);
}

void LiveBlobs::seal() {
  std::sort(heads_.begin(), heads_.end());
  heads_.erase(std::unique(heads_.begin(), heads_.end()), heads_.end());
}

bool LiveBlobs::contains(const Digest& digest) const {
  return std::binary_search(heads_.begin(), heads_.end(), head_of(digest));
}

LiveBlobs mark_live_blobs(const CareScope& scope, const std::function<bool(const std::string&)>& is_needed) {
  LiveBlobs live;
  add_documents(scope, is_needed, live);
  live.seal();
  scope.catalog.read([&](Database& db) {
    add_learned(db, live);
    add_repositories(db, live);
  });
  live.seal();
  return live;
}

bool is_listed_now(Database& db, const Digest& digest) {
  Statement row = db.prepare(
      "SELECT 1 FROM places WHERE sha256 = ?1 UNION ALL SELECT 1 FROM repository_blobs WHERE digest = ?1 LIMIT 1");
  row.bind(1, digest.hex());
  return row.step();
}

}  // namespace dae::mirror
