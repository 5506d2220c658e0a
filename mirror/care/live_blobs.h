#pragma once
// Which blobs somebody needs: the mark of a collection.
#include <cstdint>
#include <functional>
#include <vector>

#include "mirror/care/verify.h"

namespace dae::mirror {

// Digests, at 8 bytes each. Two that agree in those count as one: then a blob stays that could go.
class LiveBlobs {
 public:
  void add(const Digest& digest) { heads_.push_back(head_of(digest)); }
  void seal();  // after add(), before contains()
  bool contains(const Digest& digest) const;

 private:
  static uint64_t head_of(const Digest& digest);
  std::vector<uint64_t> heads_;
};

// Files and metadata of the documents that are needed, what was learned of them, and all that repositories have.
LiveBlobs mark_live_blobs(const CareScope& scope, const std::function<bool(const std::string& document)>& is_needed);

// Looked up in the tables of what is listed at this moment.
bool is_listed_now(Database& db, const Digest& digest);

}  // namespace dae::mirror
