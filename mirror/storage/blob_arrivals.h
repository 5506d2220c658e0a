#pragma once
// Blobs on their way from an object store into a cache on this machine: one fetch each, however many wait for it.
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/blob_store.h"
#include "base/part_file.h"
#include "mirror/storage/object_blobs.h"

namespace dae::mirror {

// Thread-safe. A fetch that broke off leaves <tmp>/<hex>.object, which the next one goes on with.
class BlobArrivals {
 public:
  // `cache` gives a blob its name; `on_bytes` is told how many came.
  BlobArrivals(ObjectBlobs& objects, BlobStore& cache, Path tmp, std::function<void(uint64_t)> on_bytes)
      : objects_(objects), cache_(cache), tmp_(std::move(tmp)), on_bytes_(std::move(on_bytes)) {}
  // In the cache when it returns, with the right bytes. Throws Error not_found (there is no such object), verification
  // (it has other bytes: nothing stays), network, io (nothing stays).
  void bring(const Digest& digest, const BlobWatch& watch);

 private:
  struct Flight {
    std::mutex mutex;
    std::vector<BlobWatch> watches;
    // The last that was told, for who comes later; nothing is when `done` is 0.
    Path part;
    uint64_t done = 0, total = 0;
    std::shared_future<void> landing;
  };
  void fly(const std::shared_ptr<Flight>& flight, const Digest& digest,
           const std::shared_ptr<const std::atomic<bool>>& stop);
  bool fetch(const std::shared_ptr<Flight>& flight, const Digest& digest, const Path& part,
             const std::shared_ptr<const std::atomic<bool>>& stop);
  static void tell_restart(Flight& flight);
  static void end_progress(Flight& flight);
  std::unique_ptr<PartFile> open_part(const Digest& digest) const;
  void land(const Digest& digest);

  ObjectBlobs& objects_;
  BlobStore& cache_;
  const Path tmp_;
  const std::function<void(uint64_t)> on_bytes_;
  std::mutex mutex_;
  std::map<Digest, std::shared_ptr<Flight>> flights_;
};

}  // namespace dae::mirror
