#pragma once
// `dae mirror verify`: hashes the stored blobs again, beside a running mirror. What is wrong is taken out of the store
// at once; what lists it is named, and upstreams are asked for it when that is wanted. Killed, it goes on where it was.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/blob_store.h"
#include "base/events.h"
#include "mirror/care/listings.h"
#include "mirror/care/repair.h"
#include "mirror/mirror.h"

namespace dae::mirror {

// What the works of care share. All of it outlives them.
struct CareScope {
  const MirrorConfig& config;
  Catalog& catalog;
  PageStore& pages;
  BlobStore& blobs;
  Clock& clock;
  EventSink& events;
  std::function<bool()> stop = [] { return false; };  // asked often: true ends the work soon
};

struct VerifyOptions {
  std::optional<int64_t> since_ms;  // only blobs put this long ago or later
  int jobs = 2;
  bool from_start = false;        // forget where a run before this one was
  Repairer* repairer = nullptr;   // null: nothing is fetched
  int64_t mark_every_ms = 5'000;  // how much is done again after a kill
};

struct Damage {
  Digest digest;
  bool missing = false;  // else its bytes were wrong, and are in quarantine
  std::vector<Lister> listed_by;
  bool repaired = false;
  std::string why_not;  // when it could not be repaired
};

struct VerifyReport {
  bool finished = false;  // false: it was asked to stop
  bool resumed = false;
  uint64_t blobs = 0, bytes = 0;  // hashed, those of the runs that this one went on from included
  std::vector<Damage> damages;    // in the order of digests
  bool all_well() const;
};

// Throws Error refused while another one runs in this storage.
VerifyReport run_verify(const CareScope& scope, const VerifyOptions& options);
Value to_value(const VerifyReport& report);

}  // namespace dae::mirror
