#pragma once
// Frozen states of indexes. A snapshot is the name of a revision: making one copies nothing, and what it lists stays
// to be had as long as it is there.
#include <optional>
#include <string>
#include <vector>

#include "mirror/index/page_store.h"

namespace dae::mirror {

struct Snapshot {
  std::string id;
  std::string index;
  int64_t revision = 0;
  int64_t made_ms = 0;
  std::string note;
};

// Letters, digits, `-`, `_`, `.`; it becomes part of a URL.
bool is_snapshot_id(std::string_view id);

// Thread-safe.
class Snapshots {
 public:
  explicit Snapshots(Catalog& catalog) : catalog_(catalog) {}
  // `id` empty: the index and the time. Throws Error refused when there is one of that name, not_found when the index
  // lists nothing yet.
  Snapshot make(const std::string& index, std::string id, const std::string& note, int64_t now_ms);
  std::optional<Snapshot> find(const std::string& id);
  std::vector<Snapshot> list();  // oldest first
  bool remove(const std::string& id);

 private:
  Catalog& catalog_;
};

}  // namespace dae::mirror
