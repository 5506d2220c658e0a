#pragma once
// Blobs as objects: `blobs/sha256/ab/<hex>`; what had wrong bytes: `quarantine/<hex>`. Nothing is kept on this machine.
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/blob_store.h"
#include "base/clock.h"
#include "mirror/storage/object_listings.h"
#include "mirror/storage/object_store.h"
#include "mirror/storage/shared_lease.h"

namespace dae::mirror {

// Thread-safe. All calls throw what ObjectStore and SharedLease throw.
class ObjectBlobs {
 public:
  ObjectBlobs(ObjectStore& objects, SharedLease& lease, Clock& clock, int64_t touch_every_ms)
      : objects_(objects),
        lease_(lease),
        clock_(clock),
        touch_every_ms_(touch_every_ms),
        listings_(objects, clock, touch_every_ms / 2) {}

  // For a moment it is remembered that one is there: who relies on that calls touch().
  std::optional<uint64_t> size_bytes(const Digest& digest);
  std::optional<StoredBlob> find(const Digest& digest);  // always asks
  // Appends what the file lacks. False: it is not there.
  bool fetch(const Digest& digest, const ObjectStore::Fetch& fetch);
  // Unless it is there with this size, which is touched then.
  void put(const Digest& digest, const Path& file, uint64_t size_bytes);
  void put_all(const std::map<Digest, Path>& files);
  // What is there, and safe from sweeps from now on. nullopt: nothing. Asked about very many, it looks at listings:
  // what another machine put or quarantined in the last minutes may then be put again, or be believed to be there.
  std::optional<ObjectInfo> touch(const Digest& digest);
  bool remove(const Digest& digest);
  bool remove_untouched(const Digest& digest, int64_t since_ms);
  // Bytes that do not fit into memory go through the file `scratch`.
  bool verify(const Digest& digest, const Path& scratch, const std::function<void(uint64_t)>& on_bytes);
  void list(std::string_view first_digits, const std::function<void(const StoredBlob&)>& visit);

  void quarantine(const Digest& digest);
  std::vector<StoredBlob> quarantined();
  uint64_t forget_quarantined(int64_t since_ms);

 private:
  bool verify_large(const Digest& digest, const Path& scratch, const std::function<void(uint64_t)>& on_bytes);
  std::optional<ObjectInfo> look(const Digest& digest);
  void note_put(const Digest& digest, uint64_t size_bytes);
  void remember(const Digest& digest, uint64_t size_bytes);
  void forget(const Digest& digest);
  // The right to remove something, surely for long enough.
  std::shared_ptr<const HeldLease> right_to_remove();
  void remove_by(const HeldLease& right, const std::string& key);

  struct Seen {
    uint64_t size_bytes;
    int64_t until_ms;  // monotonic
  };
  ObjectStore& objects_;
  SharedLease& lease_;
  Clock& clock_;
  const int64_t touch_every_ms_;
  ObjectListings listings_;
  std::mutex mutex_;
  std::unordered_map<std::string, Seen> seen_;  // by hex
};

}  // namespace dae::mirror
