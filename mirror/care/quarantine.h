#pragma once
// Blobs whose bytes are not what their name says, kept for whoever wants to know why, where nothing serves them:
//   <storage>/quarantine/<64 digits>
#include <vector>

#include "base/blob_store.h"

namespace dae::mirror {

class Quarantine {
 public:
  explicit Quarantine(const Path& storage) : dir_(storage / "quarantine") {}
  // From here on the store does not have it.
  void take(const BlobStore& blobs, const Digest& digest);
  std::vector<Digest> list() const;
  uint64_t size_bytes() const;
  // Those taken before `since_ms`; how many bytes that freed.
  uint64_t forget(int64_t since_ms);
  const Path& dir() const { return dir_; }

 private:
  Path dir_;
};

// For who knows only the blobs, at <storage>/blobs.
Quarantine quarantine_beside(const BlobStore& blobs);

}  // namespace dae::mirror
