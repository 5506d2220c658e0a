#pragma once
// A blob store whose truth is an object store, `blobs/sha256/ab/<hex>`, and whose files are a cache on this machine. A
// file gets its name here only after its object is there. What gc, verify and quarantine do, they do to the objects.
#include <cstdint>
#include <memory>

#include "base/blob_store.h"
#include "base/clock.h"
#include "mirror/storage/object_store.h"
#include "mirror/storage/shared_lease.h"

namespace dae::mirror {

struct CachedBlobsOptions {
  uint64_t cache_bytes = 50ull << 30;  // then those used longest ago go; several processes may share the folder
  // touch() leaves an object alone that was put or touched this lately: less than care.grace.
  int64_t touch_every_ms = 30 * 60'000;
};

// Thread-safe. A touch that matters (of an object that a sweep might be about to remove) and a removal exclude each
// other by the lease; whoever calls remove_untouched() uses it already. All outlive the store.
std::unique_ptr<BlobStore> open_cached_blobs(const Path& cache, ObjectStore& objects, SharedLease& lease, Clock& clock,
                                             CachedBlobsOptions options = {});

}  // namespace dae::mirror
