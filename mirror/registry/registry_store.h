#pragma once
// Repositories as rows of the catalog: which blobs and manifests each has, where its tags point, who refers to whom.
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/value.h"
#include "mirror/catalog.h"
#include "mirror/registry/content_digest.h"
#include "mirror/registry/manifest_check.h"

namespace dae::mirror {

struct ManifestRow {
  ContentDigest digest;
  Digest stored;  // the same bytes' name in the blob store
  std::string media_type;
  uint64_t size_bytes = 0;
};

struct RepositoryCount {
  std::string repository;
  int64_t manifests = 0, tags = 0;
};

// Thread-safe. A repository sees only what was pushed to it or mounted into it.
class RegistryStore {
 public:
  RegistryStore(Catalog& catalog, const Clock& clock) : catalog_(catalog), clock_(clock) {}

  bool has_repository(const std::string& repository);
  // The blob's name in the store; nullopt: the repository does not have it.
  std::optional<Digest> blob(const std::string& repository, const ContentDigest& digest);
  std::optional<Digest> blob_anywhere(const ContentDigest& digest);  // in any repository or index
  void link_blob(const std::string& repository, const ContentDigest& digest, const Digest& stored);
  bool unlink_blob(const std::string& repository, const ContentDigest& digest);

  // Tags of an immutable repository never move, not even after they were deleted: OciRefusal 409 DENIED, and then
  // nothing is stored at all.
  // `held`: blobs of this repository that it names; a collection at this moment does not part them from it.
  void put_manifest(const std::string& repository, const ManifestRow& row, const ManifestFacts& facts,
                    const std::vector<std::string>& tags, const std::vector<ContentDigest>& held = {});
  std::optional<ManifestRow> manifest(const std::string& repository, const ContentDigest& digest);
  std::optional<ManifestRow> tagged(const std::string& repository, const std::string& tag);
  bool delete_manifest(const std::string& repository, const ContentDigest& digest);  // and the tags that point at it
  bool delete_tag(const std::string& repository, const std::string& tag);
  // Bytewise order, those after `last`, at most `limit`.
  std::vector<std::string> tags(const std::string& repository, const std::string& last, int64_t limit);
  // Descriptors in order of digest. `artifact_type` empty: all.
  Value referrers(const std::string& repository, const std::string& subject, const std::string& artifact_type);
  std::vector<RepositoryCount> counts();
  // Those with a manifest: bytewise order, those after `last`, at most `limit`.
  std::vector<std::string> repositories(const std::string& last, int64_t limit);

 private:
  void point_tag(Database& db, const std::string& repository, const std::string& tag, const ContentDigest& digest);
  Catalog& catalog_;
  const Clock& clock_;
};

// `apps/…`: one version never points at two digests.
bool is_immutable_repository(const std::string& repository);

}  // namespace dae::mirror
