#pragma once
// Where a mirror keeps what it knows and has: a folder of this machine, or a bucket that several machines share, with
// the folder as its cache (mirror.yaml `storage`, `cache`, `lease`). Everything that works on a mirror opens one.
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/blob_store.h"
#include "base/clock.h"
#include "mirror/catalog.h"
#include "mirror/mirror.h"
#include "mirror/storage/etcd_lease.h"
#include "mirror/storage/s3_object_store.h"

namespace dae::mirror {

struct SharedPlace {
  S3Place bucket;
  std::optional<EtcdPlace> lease;  // nullopt: the processes of one machine alone write
  uint64_t cache_bytes = 50ull << 30;
};

struct StorageOptions {
  bool create = false;  // else Error not_found when there is none
  // For who serves: what others write is taken over within a second, and when the bucket cannot be reached, what this
  // machine has is used as it was.
  bool follow = false;
  Durability blobs = Durability::fsync;  // of a folder; `none`: flush() is called
};

// How far a server's copy of a shared catalog is.
struct StorageState {
  int64_t sequence = 0;
  int64_t looked_ago_ms = 0;  // at the head; before the first look: since the start
};

class Storage {
 public:
  virtual ~Storage() = default;
  virtual Catalog& catalog() = 0;
  virtual BlobStore& blobs() = 0;
  virtual void flush() = 0;  // what was written to the folder is on the disk
  // Only one process of all machines does this at a time. nullptr: machines share nothing, a lock on a file is enough.
  // Throws Error refused when another does it.
  virtual std::unique_ptr<HeldLease> exclude(const std::string& work) = 0;
  virtual void maintain() {}                     // after much was written
  virtual uint64_t tidy(int64_t before_ms) = 0;  // what no copy needs of the log; bytes
  virtual std::optional<StorageState> state() const { return std::nullopt; }
};

std::unique_ptr<Storage> open_storage(const MirrorConfig& config, Clock& clock, const StorageOptions& options = {});
std::string storage_text(const MirrorConfig& config);  // as configured, for people
std::string process_name();                            // host and process, for people

// What a shared storage stands on.
struct StorageParts {
  std::unique_ptr<Transport> client;  // outlives the others
  std::unique_ptr<ObjectStore> objects;
  std::unique_ptr<Lease> lease;
  std::string lease_name;
  std::function<std::unique_ptr<Lease>(const std::string& work)> lease_of;  // empty: one machine
};
std::unique_ptr<Storage> open_shared_storage(const MirrorConfig& config, StorageParts parts, Clock& clock,
                                             const StorageOptions& options);

}  // namespace dae::mirror
