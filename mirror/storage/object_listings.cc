#include "mirror/storage/object_listings.h"

#include <utility>

namespace dae::mirror {
namespace {

constexpr int kAskedOften = 8;
constexpr size_t kMostHeld = 300'000;  // of objects, some 250 bytes each

std::string shard_of(const Digest& digest) {
  return digest.hex().substr(0, 2);
}

}  // namespace

ObjectListings::Answer ObjectListings::find(const Digest& digest, const std::string& shard_prefix) {
  const std::string name = shard_of(digest);
  bool list_now = false;
  {
    std::lock_guard lock(mutex_);
    const int64_t now_ms = clock_.monotonic_ms();
    Shard& shard = shards_[name];
    if (now_ms < shard.listed_until_ms) {
      const auto found = shard.objects.find(digest.hex());
      return {true, found == shard.objects.end() ? std::nullopt : std::optional(found->second)};
    }
    if (now_ms >= shard.asked_until_ms) shard.asked = 0;
    if (shard.asked == 0) shard.asked_until_ms = now_ms + most_age_ms_;
    list_now = most_age_ms_ > 0 && ++shard.asked == kAskedOften && held_ < kMostHeld;
  }
  if (list_now) list(name, shard_prefix);
  return {};
}

// One caller at a time: who made the question that was one too many.
void ObjectListings::list(const std::string& name, const std::string& prefix) {
  const int64_t began_ms = clock_.monotonic_ms();
  uint64_t changes_before = 0;
  {
    std::lock_guard lock(mutex_);
    changes_before = shards_[name].changes;
  }
  std::unordered_map<std::string, ObjectInfo> found;
  objects_.list(prefix,
                [&](const ObjectInfo& object) { found[object.key.substr(object.key.rfind('/') + 1)] = object; });
  std::lock_guard lock(mutex_);
  Shard& shard = shards_[name];
  shard.asked = 0;
  if (shard.changes != changes_before) return;  // the listing may or may not have it: the next one will
  held_ -= shard.objects.size();
  held_ += found.size();
  shard.objects = std::move(found);
  shard.listed_until_ms = began_ms + most_age_ms_;
}

void ObjectListings::put(const Digest& digest, const ObjectInfo& object) {
  std::lock_guard lock(mutex_);
  Shard& shard = shards_[shard_of(digest)];
  ++shard.changes;
  if (shard.listed_until_ms > 0 && shard.objects.insert_or_assign(digest.hex(), object).second) ++held_;
}

void ObjectListings::forget(const Digest& digest) {
  std::lock_guard lock(mutex_);
  Shard& shard = shards_[shard_of(digest)];
  ++shard.changes;
  held_ -= shard.objects.erase(digest.hex());
}

}  // namespace dae::mirror
