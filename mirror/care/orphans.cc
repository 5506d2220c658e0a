// Blobs that a repository has and none of its manifests names.
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "mirror/artifact/artifact.h"
#include "mirror/care/old_rows.h"
#include "mirror/registry/content_digest.h"
#include "mirror/registry/manifest_check.h"

namespace dae::mirror {
namespace {

constexpr uint64_t kManifestLimitBytes = 4u << 20;

// What a repository's manifests were when they were read.
struct Stand {
  int64_t count = 0, last_pushed_ms = 0;
  bool operator==(const Stand&) const = default;
};

Stand stand_of(Database& db, const std::string& repository) {
  Statement row = db.prepare("SELECT count(*), ifnull(max(pushed_ms), 0) FROM manifests WHERE repository = ?");
  row.bind(1, repository);
  row.step();
  return {row.integer(0), row.integer(1)};
}

struct StoredName {
  std::string row;  // as in the catalog
  Digest stored;
  std::string media_type;
};

std::vector<StoredName> names_in(Database& db, const std::string& table, const std::string& repository) {
  const std::string media_type = table == "manifests" ? "r.media_type" : "''";
  Statement rows = db.prepare("SELECT r.digest, ifnull(d.sha256, r.digest), " + media_type + " FROM " + table +
                              " r LEFT JOIN digests d ON d.digest = r.digest WHERE r.repository = ? ORDER BY r.digest");
  rows.bind(1, repository);
  std::vector<StoredName> names;
  while (rows.step()) names.push_back({rows.text(0), Digest::parse(rows.text(1)), rows.text(2)});
  return names;
}

// nullopt: a manifest cannot be read, and so nothing is known.
std::optional<std::set<std::string>> named_by_manifests(const CareScope& scope,
                                                        const std::vector<StoredName>& manifests) {
  std::set<std::string> named;
  for (const StoredName& manifest : manifests) {
    try {
      const ManifestFacts facts =
          read_manifest(scope.blobs.read(manifest.stored, kManifestLimitBytes), manifest.media_type);
      for (const ManifestReference& blob : facts.blobs) {
        if (is_known_algorithm(blob.digest.substr(0, blob.digest.find(':')))) {
          named.insert(ContentDigest::parse(blob.digest).row());
        }
      }
    } catch (const Error& error) {
      log_warn("a manifest cannot be read: its repository keeps all blobs",
               {{"digest", manifest.row}, {"why", error.what()}});
      return std::nullopt;
    }
  }
  return named;
}

bool is_untouched(const BlobStore& blobs, const Digest& digest, int64_t since_ms) {
  const auto blob = blobs.find(digest);
  return !blob || blob->touched_ms < since_ms;
}

uint64_t remove_from(const CareScope& scope, const std::string& repository, int64_t untouched_since_ms, bool dry_run) {
  Stand stand;
  std::vector<StoredName> manifests, blobs;
  scope.catalog.read([&](Database& db) {
    stand = stand_of(db, repository);
    manifests = names_in(db, "manifests", repository);
    blobs = names_in(db, "repository_blobs", repository);
  });
  const auto named = named_by_manifests(scope, manifests);
  if (!named) return 0;
  std::erase_if(blobs, [&](const StoredName& blob) {
    return named->contains(blob.row) || !is_untouched(scope.blobs, blob.stored, untouched_since_ms);
  });
  if (dry_run || blobs.empty()) return blobs.size();
  uint64_t count = 0;
  scope.catalog.write([&](Database& db) {
    if (stand_of(db, repository) != stand) return;  // pushed to meanwhile: the next time
    Statement remove = db.prepare("DELETE FROM repository_blobs WHERE repository = ? AND digest = ?");
    for (const StoredName& blob : blobs) {
      // A push that goes on touches what it will name.
      if (!is_untouched(scope.blobs, blob.stored, untouched_since_ms)) continue;
      remove.bind(1, repository).bind(2, blob.row).run();
      count += 1;
    }
  });
  return count;
}

}  // namespace

uint64_t remove_orphans(const CareScope& scope, int64_t untouched_since_ms, bool dry_run) {
  std::vector<std::string> repositories;
  scope.catalog.read([&](Database& db) {
    Statement rows = db.prepare("SELECT DISTINCT repository FROM repository_blobs ORDER BY repository");
    while (rows.step()) repositories.push_back(rows.text(0));
  });
  uint64_t count = 0;
  for (const std::string& repository : repositories) {
    if (scope.stop()) return count;
    count += remove_from(scope, repository, untouched_since_ms, dry_run);
  }
  if (dry_run || scope.stop()) return count;
  scope.catalog.write([](Database& db) {
    db.execute(
        "DELETE FROM digests WHERE digest NOT IN (SELECT digest FROM manifests) AND digest NOT IN "
        "(SELECT digest FROM repository_blobs)");
  });
  return count;
}

}  // namespace dae::mirror
