#include "mirror/storage/object_blobs.h"

#include "base/error.h"
#include "mirror/artifact/parallel.h"

namespace dae::mirror {
namespace {

constexpr const char* kBlobs = "blobs/sha256/";
constexpr const char* kQuarantine = "quarantine/";
constexpr int64_t kSeenForMs = 60'000;
constexpr size_t kMostSeen = 100'000;
constexpr size_t kAskedAtOnce = 32;
constexpr uint64_t kInMemoryBytes = 8u << 20;
constexpr int64_t kRightMs = 2000, kRemovalMs = 1000;

std::string shard_of(const Digest& digest) {
  DAE_CHECK(!digest.empty());
  return kBlobs + digest.hex().substr(0, 2) + "/";
}

std::string key_of(const Digest& digest) {
  return shard_of(digest) + digest.hex();
}

std::string quarantine_key(const Digest& digest) {
  return kQuarantine + digest.hex();
}

// Other objects below the prefix are somebody else's.
std::optional<StoredBlob> blob_of(const ObjectInfo& object) {
  const std::string name = object.key.substr(object.key.rfind('/') + 1);
  if (!Digest::is_valid(name)) return std::nullopt;
  return StoredBlob{Digest::parse(name), object.size_bytes, object.modified_ms};
}

}  // namespace

void ObjectBlobs::remember(const Digest& digest, uint64_t size_bytes) {
  std::lock_guard lock(mutex_);
  if (seen_.size() >= kMostSeen) seen_.clear();
  seen_[digest.hex()] = {size_bytes, clock_.monotonic_ms() + kSeenForMs};
}

void ObjectBlobs::forget(const Digest& digest) {
  listings_.forget(digest);
  std::lock_guard lock(mutex_);
  seen_.erase(digest.hex());
}

std::optional<uint64_t> ObjectBlobs::size_bytes(const Digest& digest) {
  if (digest.empty()) return std::nullopt;
  {
    std::lock_guard lock(mutex_);
    const auto seen = seen_.find(digest.hex());
    if (seen != seen_.end() && clock_.monotonic_ms() < seen->second.until_ms) return seen->second.size_bytes;
  }
  const auto found = find(digest);
  if (!found) return std::nullopt;
  remember(digest, found->size_bytes);
  return found->size_bytes;
}

std::optional<StoredBlob> ObjectBlobs::find(const Digest& digest) {
  const auto object = objects_.head(key_of(digest));
  if (!object) forget(digest);
  return object ? std::optional(StoredBlob{digest, object->size_bytes, object->modified_ms}) : std::nullopt;
}

bool ObjectBlobs::fetch(const Digest& digest, const ObjectStore::Fetch& fetch) {
  const auto object = objects_.get_file(key_of(digest), fetch);
  if (!object) forget(digest);
  return object.has_value();
}

// A sweep decides by the time of the last change and removes a moment later: what is old enough for one is touched
// under the lease that sweeps hold, and what is younger no sweep removes.
std::optional<ObjectInfo> ObjectBlobs::touch(const Digest& digest) {
  const auto object = look(digest);
  if (!object || clock_.wall_ms() - object->modified_ms < touch_every_ms_) return object;
  const auto right = lease_.use();
  if (objects_.touch(key_of(digest))) {
    note_put(digest, object->size_bytes);
    return object;
  }
  forget(digest);
  return std::nullopt;
}

std::optional<ObjectInfo> ObjectBlobs::look(const Digest& digest) {
  ObjectListings::Answer listed = listings_.find(digest, shard_of(digest));
  if (listed.is_known) return std::move(listed.object);
  auto object = objects_.head(key_of(digest));
  if (!object) forget(digest);
  return object;
}

void ObjectBlobs::note_put(const Digest& digest, uint64_t size_bytes) {
  listings_.put(digest, {key_of(digest), "", size_bytes, clock_.wall_ms()});
}

void ObjectBlobs::put(const Digest& digest, const Path& file, uint64_t size_bytes) {
  const auto there = touch(digest);
  if (!there || there->size_bytes != size_bytes) {
    // A sweep that has looked at what is there must not remove what comes instead of it.
    const auto right = there ? lease_.use() : nullptr;
    objects_.put_files({{key_of(digest), file, digest}});
    note_put(digest, size_bytes);
  }
  remember(digest, size_bytes);
}

void ObjectBlobs::put_all(const std::map<Digest, Path>& files) {
  std::vector<ObjectFile> all, missing;
  for (const auto& [digest, file] : files) all.push_back({key_of(digest), file, digest});
  std::mutex mutex;
  run_parallel(all.size(), kAskedAtOnce, [&](size_t i) {
    const auto info = file_info(all[i].file);
    if (!info) return;  // somebody else put the same bytes
    const auto there = touch(all[i].sha256);
    if (there && there->size_bytes == info->size_bytes) return;
    if (there) return put(all[i].sha256, all[i].file, info->size_bytes);
    std::lock_guard lock(mutex);
    missing.push_back(all[i]);
  });
  if (!missing.empty()) objects_.put_files(missing);
  for (const ObjectFile& one : missing) {
    if (const auto info = file_info(one.file)) note_put(one.sha256, info->size_bytes);
  }
}

std::shared_ptr<const HeldLease> ObjectBlobs::right_to_remove() {
  return lease_.use(kRightMs);
}

// Whoever was stopped for long between the look and the removal has lost the right meanwhile, and somebody else may
// have touched the object since.
void ObjectBlobs::remove_by(const HeldLease& right, const std::string& key) {
  if (!right.holds_for(kRemovalMs)) {
    throw Error(ErrorKind::refused, "the lease was lost before an object could be removed", key, "run it again");
  }
  objects_.remove(key);
}

bool ObjectBlobs::remove(const Digest& digest) {
  const auto right = right_to_remove();
  if (!find(digest)) return false;
  remove_by(*right, key_of(digest));
  forget(digest);
  return true;
}

bool ObjectBlobs::remove_untouched(const Digest& digest, int64_t since_ms) {
  const auto right = right_to_remove();
  const auto found = find(digest);
  if (!found || found->touched_ms >= since_ms) return false;
  remove_by(*right, key_of(digest));
  forget(digest);
  return true;
}

bool ObjectBlobs::verify(const Digest& digest, const Path& scratch, const std::function<void(uint64_t)>& on_bytes) {
  const auto found = find(digest);
  if (!found) return false;
  if (found->size_bytes > kInMemoryBytes) return verify_large(digest, scratch, on_bytes);
  const auto object = objects_.get(key_of(digest), kInMemoryBytes);
  if (object && on_bytes) on_bytes(object->bytes.size());
  return object && Digest::of(object->bytes) == digest;
}

bool ObjectBlobs::verify_large(const Digest& digest, const Path& scratch,
                               const std::function<void(uint64_t)>& on_bytes) {
  uint64_t told = 0;
  ObjectStore::Fetch fetch;
  fetch.into = scratch;
  fetch.on_progress = [&](uint64_t done, uint64_t) {
    if (on_bytes && done > told) on_bytes(done - told);
    told = std::max(told, done);
  };
  try {
    const bool right = objects_.get_file(key_of(digest), fetch) && sha256_file(scratch) == digest;
    remove_file(scratch);
    return right;
  } catch (...) {
    remove_file(scratch);
    throw;
  }
}

void ObjectBlobs::list(std::string_view first_digits, const std::function<void(const StoredBlob&)>& visit) {
  objects_.list(kBlobs + std::string(first_digits) + (first_digits.empty() ? "" : "/"), [&](const ObjectInfo& object) {
    if (const auto blob = blob_of(object)) visit(*blob);
  });
}

void ObjectBlobs::quarantine(const Digest& digest) {
  const auto right = right_to_remove();
  try {
    objects_.copy(key_of(digest), quarantine_key(digest));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;  // somebody else took it
    return;
  }
  remove_by(*right, key_of(digest));
  forget(digest);
}

std::vector<StoredBlob> ObjectBlobs::quarantined() {
  std::vector<StoredBlob> found;
  objects_.list(kQuarantine, [&](const ObjectInfo& object) {
    if (const auto blob = blob_of(object)) found.push_back(*blob);
  });
  return found;
}

uint64_t ObjectBlobs::forget_quarantined(int64_t since_ms) {
  uint64_t freed_bytes = 0;
  for (const StoredBlob& blob : quarantined()) {
    if (blob.touched_ms >= since_ms) continue;
    objects_.remove(quarantine_key(blob.digest));
    freed_bytes += blob.size_bytes;
  }
  return freed_bytes;
}

}  // namespace dae::mirror
