#pragma once
// `dae mirror gc`: what nothing needs any more goes, beside a running mirror: mark from what is listed, kept by
// snapshots or held by repositories, then sweep the blobs that are none of that and were not put lately. May be killed
// at any time; the next one goes on.
#include <optional>

#include "mirror/care/verify.h"

namespace dae::mirror {

struct GcOptions {
  bool dry_run = false;
  std::optional<int64_t> grace_ms;  // default: the configuration's
};

struct GcReport {
  bool finished = false, dry_run = false;
  uint64_t blobs = 0, bytes = 0;              // freed
  uint64_t young_blobs = 0, young_bytes = 0;  // needed by nothing, but put too recently
  uint64_t kept_blobs = 0, kept_bytes = 0;
  uint64_t leftover_bytes = 0;    // of killed writers, freed
  uint64_t quarantine_bytes = 0;  // freed
  uint64_t rows = 0;              // of the catalog: former lists, documents, learned facts, orphans of repositories
};

// Throws Error refused while another one runs in this storage.
GcReport run_gc(const CareScope& scope, const GcOptions& options);
Value to_value(const GcReport& report);

}  // namespace dae::mirror
