#pragma once
// A storage of several machines in memory: each machine has a cache of its own, all share the objects and the lease.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "memory_objects.h"
#include "mirror/storage/cached_blobs.h"

namespace dae::mirror::testing {

// One mutex is the lease; whoever has it never loses it.
class MutexLease final : public SharedLease {
 public:
  std::shared_ptr<const HeldLease> use(int64_t) override { return std::make_shared<Held>(mutex_); }

 private:
  struct Held final : HeldLease {
    explicit Held(std::recursive_mutex& mutex) : lock(mutex) {}
    int64_t fence() const override { return 1; }
    bool holds_for(int64_t) const override { return true; }
    std::unique_lock<std::recursive_mutex> lock;
  };
  std::recursive_mutex mutex_;
};

struct Machine {
  explicit Machine(ObjectStore& store, SharedLease& lease, Clock& clock, CachedBlobsOptions options = {})
      : blobs(open_cached_blobs(dir.path() / "cache", store, lease, clock, options)) {}
  Path file(const Digest& digest) const {
    return dir.path() / "cache" / "sha256" / digest.hex().substr(0, 2) / digest.hex();
  }
  std::vector<std::string> leftovers() const { return list_dir(dir.path() / "cache" / "tmp"); }
  void overwrite(const Digest& digest, const std::string& bytes) {
    remove_file(file(digest));
    write_file_atomic(file(digest), bytes);
  }
  void used_ago(const Digest& digest, int64_t ms) {
    const auto now = std::filesystem::file_time_type::clock::now();
    std::filesystem::last_write_time(file(digest), now - std::chrono::milliseconds(ms));
  }

  // In memory where that can be: files of a cache are flushed.
  TempDir dir{"dae-", exists("/dev/shm") ? Path("/dev/shm") : Path()};
  std::unique_ptr<BlobStore> blobs;
};

inline std::string object_key(const Digest& digest) {
  return "blobs/sha256/" + digest.hex().substr(0, 2) + "/" + digest.hex();
}

inline Error unreachable() {
  return Error(ErrorKind::network, "nobody answers", "memory");
}

struct SharedBlobs {
  ManualClock clock{SystemClock().wall_ms()};
  MemoryObjects objects{clock};
  MutexLease lease;
  Machine here{objects, lease, clock};

  // How often this was asked of the store from now on.
  std::shared_ptr<std::atomic<int>> count(const std::string& operation) {
    auto counter = std::make_shared<std::atomic<int>>(0);
    objects.set_before([counter, operation](const std::string& what, const std::string&) {
      if (what == operation) ++*counter;
    });
    return counter;
  }
  void go_down() {
    objects.set_before([](const std::string&, const std::string&) { throw unreachable(); });
  }
  void come_back() {
    objects.set_before({});
    objects.set_after({});
  }
  bool has_object(const Digest& digest) { return objects.head(object_key(digest)).has_value(); }
};

}  // namespace dae::mirror::testing
