#pragma once
// `dae mirror status`: what a storage holds, how far behind it is, and what its long works did last. Changes nothing.
#include <optional>
#include <string>
#include <vector>

#include "mirror/care/runs.h"
#include "mirror/care/verify.h"

namespace dae::mirror {

struct IndexStatus {
  std::string name, mode, upstream;  // mode "" for one that mirror.yaml does not name any more
  int64_t projects = 0, files = 0;   // listed
  uint64_t held_files = 0, held_bytes = 0;
  int64_t revision = 0, changed_ms = 0;  // 0: nothing yet
  int64_t due_pages = 0;                 // of pull-through: older than they may be without asking upstream
  std::optional<RunRow> synced;          // the last one that ended well
};

struct MirrorStatus {
  std::vector<IndexStatus> indexes;  // in the order of mirror.yaml, then those that it does not name
  int64_t repositories = 0, manifests = 0, tags = 0, snapshots = 0;
  uint64_t blobs = 0, bytes = 0;
  uint64_t quarantined_blobs = 0, quarantined_bytes = 0;
  int64_t upload_sessions = 0;
  uint64_t upload_bytes = 0;
  uint64_t disk_bytes = 0, disk_free_bytes = 0;
  std::optional<int> verified_percent;  // of a verification that is not at its end
  std::vector<RunRow> runs;             // the last of each kind and index
};

MirrorStatus read_status(const CareScope& scope);
Value to_value(const MirrorStatus& status);

// How far an index is from its upstream, in words for people; "" when that cannot be said.
std::string describe_behind(const IndexStatus& index, int64_t now_ms);

}  // namespace dae::mirror
