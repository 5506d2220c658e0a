#pragma once
// What of the store of unpacked wheels can go.
#include <string>
#include <vector>

#include "resolver/install/unpacked_store.h"

namespace dae::resolver {

struct StoreRemoval {
  enum class Kind {
    leftover,  // of killed runs, of other versions; roots of environments that are gone
    unused,    // no registered environment names it
    shared,    // environments have files of their own; most share the blocks, so that it costs no space
  };
  Kind kind = Kind::leftover;
  Path path;
  uint64_t bytes = 0;
  int64_t used_ms = 0;  // to the day
  std::string why;
};
// In this order: all leftovers, then what is unused and what is shared, each the least recently used first, until the
// store has at most `limit_bytes`. Entries that an environment is linked into by symbolic links (dae-env.json,
// `link_mode`) never go; none does while an environment does not say what it needs.
std::vector<StoreRemoval> plan_collection(const StorePaths& store, uint64_t limit_bytes, int64_t now_ms);
// Under the exclusive lock, and against the roots as they are then; with `force` whatever needs it. Returns the bytes
// removed.
uint64_t collect_unpacked(const StorePaths& store, const std::vector<StoreRemoval>& plan, bool force = false);

// Entries that never go, and for which environments.
struct StoreNeed {
  Path path;
  uint64_t bytes = 0;
  std::vector<Path> environments;  // sorted
};
struct StoreSummary {
  uint64_t entries = 0, bytes = 0;  // of readable entries
  std::vector<StoreNeed> needed;
};
StoreSummary summarise_unpacked(const StorePaths& store);

}  // namespace dae::resolver
