#pragma once
// The keys of a `mode: sync` index in mirror.yaml: what is taken of the upstream, and how fast.
#include <memory>
#include <string>
#include <vector>

#include "base/value.h"
#include "mirror/sync/filter.h"

namespace dae::mirror::sync {

// A file that names projects. Read when a sync begins, so that it may change while the mirror serves.
struct NameSource {
  enum class Kind { lock, requirements, names };
  Kind kind = Kind::names;
  Path path;
};

struct SyncSettings {
  Filter filter;  // without what the sources name
  std::vector<NameSource> sources;
  bool on_demand = false;           // files are fetched when somebody asks for them
  int64_t parallel = 32;            // transfers at once
  int64_t requests_per_second = 0;  // 0: as many as go
};

// Marks its keys as known. Throws Error bad_input with the position of what is wrong.
SyncSettings parse_sync_settings(Reader& index);
// One of those keys in an index that is not synced is an error: it would do nothing.
void refuse_sync_settings(Reader& index);
// With what the sources name. Throws what is wrong with them: a list that cannot be read must not let all go.
Filter complete_filter(const SyncSettings& settings);

}  // namespace dae::mirror::sync
