#pragma once
// Rows of the catalog that nothing needs any more. All work in short transactions, so that a mirror beside is not held
// up, and are counted without being removed when `dry_run`.
#include <string>

#include "mirror/care/live_blobs.h"

namespace dae::mirror {

// Something an index listed is needed while it is listed, until `removed_before_ms` passes it, and as long as a
// snapshot has it.
bool is_needed_document(Catalog& catalog, const std::string& document, int64_t removed_before_ms);
uint64_t remove_old_entries(const CareScope& scope, int64_t removed_before_ms, bool dry_run);
uint64_t remove_old_documents(const CareScope& scope, int64_t removed_before_ms, bool dry_run);
// Places of files that neither the head of their index lists nor anything else needs: a snapshot that is gone kept
// them.
uint64_t remove_stale_places(const CareScope& scope, const LiveBlobs& live, bool dry_run);
// What was learned of files that nothing lists.
uint64_t remove_learned(const CareScope& scope, const LiveBlobs& live, bool dry_run);
// Blobs of repositories that none of the repository's manifests names and that were not put since: layers of deleted
// manifests, and pushes that were given up. Digests of other algorithms whose content went, too.
uint64_t remove_orphans(const CareScope& scope, int64_t untouched_since_ms, bool dry_run);

}  // namespace dae::mirror
