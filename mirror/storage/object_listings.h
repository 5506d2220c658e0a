#pragma once
// For who asks about very many blobs, as a sync does: after a few questions about one shard (`blobs/sha256/ab/`) all of
// it is listed, and the rest is answered from that. 20,000 questions one after the other are 20,000 round trips.
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/hash.h"
#include "mirror/storage/object_store.h"

namespace dae::mirror {

// Thread-safe.
class ObjectListings {
 public:
  // What others did less than `most_age_ms` ago may not be seen.
  ObjectListings(ObjectStore& objects, const Clock& clock, int64_t most_age_ms)
      : objects_(objects), clock_(clock), most_age_ms_(most_age_ms) {}
  struct Answer {
    bool is_known = false;  // false: ask the store
    std::optional<ObjectInfo> object;
  };
  Answer find(const Digest& digest, const std::string& shard_prefix);
  // What this process did itself.
  void put(const Digest& digest, const ObjectInfo& object);
  void forget(const Digest& digest);

 private:
  struct Shard {
    int asked = 0;
    int64_t asked_until_ms = 0, listed_until_ms = 0;      // monotonic
    std::unordered_map<std::string, ObjectInfo> objects;  // by hex
    uint64_t changes = 0;
  };
  void list(const std::string& name, const std::string& prefix);

  ObjectStore& objects_;
  const Clock& clock_;
  const int64_t most_age_ms_;
  std::mutex mutex_;
  std::map<std::string, Shard> shards_;  // by their two digits
  size_t held_ = 0;
};

}  // namespace dae::mirror
