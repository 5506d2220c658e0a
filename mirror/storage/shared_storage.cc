// A storage that several machines share: each has a copy of the catalog, which follows the shared log, and a cache of
// the blobs.
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <thread>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "mirror/storage/cached_blobs.h"
#include "mirror/storage/catalog_log.h"
#include "mirror/storage/storage.h"

namespace dae::mirror {
namespace {

constexpr int64_t kFollowEveryMs = 500;
// Longer than a dead holder keeps it, shorter than clients and proxies wait.
constexpr int64_t kLeaseWaitMs = 15'000;
// Servers that see at the same time that a base is due do not all make it.
constexpr int64_t kBaseWaitMs = 20'000;

int64_t touch_every_ms(const MirrorConfig& config) {
  return std::min(CachedBlobsOptions().touch_every_ms, config.care.grace_ms / 4);
}

class SharedStorage final : public Storage {
 public:
  SharedStorage(const MirrorConfig& config, StorageParts parts, Clock& clock, const StorageOptions& options)
      : place_(config.shared->bucket.text()),
        folder_(config.storage),
        clock_(clock),
        parts_(std::move(parts)),
        lease_(share_lease(*parts_.lease, clock, {.wait_ms = kLeaseWaitMs})),
        log_(*parts_.objects, *lease_, clock, {place_, process_name(), parts_.lease_name, folder_ / "scratch"}),
        catalog_(folder_ / "catalog.db", &log_),
        blobs_(open_cached_blobs(folder_ / "blobs", *parts_.objects, *lease_, clock,
                                 {config.shared->cache_bytes, touch_every_ms(config)})) {
    first_look(options);
    if (options.follow) follower_ = std::thread([this, writes = !config.serving.read_only] { follow(writes); });
  }

  ~SharedStorage() override {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    stopped_.notify_all();
    if (follower_.joinable()) follower_.join();
  }

  Catalog& catalog() override { return catalog_; }
  BlobStore& blobs() override { return *blobs_; }
  void flush() override {}  // what counts is in the bucket

  std::unique_ptr<HeldLease> exclude(const std::string& work) override {
    if (!parts_.lease_of) return nullptr;
    try {
      return parts_.lease_of(work)->acquire(0);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::refused) throw;
      throw Error(ErrorKind::refused, "another process does this already: " + work, place_).because(error.cause());
    }
  }

  uint64_t tidy(int64_t before_ms) override { return log_.tidy(before_ms); }

  // From a connection of its own, so that writes go on; only the head is replaced in their turn.
  void maintain() override {
    if (!log_.base_is_due()) return;
    Database connection = Database::open(folder_ / "catalog.db", catalog_migrations());
    const CatalogBase base = log_.upload_base(connection);
    catalog_.maintain([&](Database& copy) { log_.publish_base(copy, base); });
  }

  std::optional<StorageState> state() const override {
    return StorageState{log_.sequence(), clock_.monotonic_ms() - log_.looked_ms()};
  }

 private:
  void first_look(const StorageOptions& options) {
    try {
      if (!options.create && !has_been_here() && !log_.exists()) {
        throw Error(ErrorKind::not_found, "there is no mirror", place_, "`dae mirror serve` makes one");
      }
      catalog_.follow();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::network || !options.follow || !has_been_here()) throw;
      log_warn("the shared storage cannot be reached: serving what this machine has",
               {{"storage", place_}, {"why", error.what()}});
    }
  }

  bool has_been_here() {
    return catalog_.read([](Database& db) {
      Statement row = db.prepare("SELECT 1 FROM replica WHERE sequence > 0");
      return row.step();
    });
  }

  void follow(bool writes) {
    bool well = true;
    int64_t base_due_since_ms = 0;
    while (!wait_ms(kFollowEveryMs)) {
      try {
        catalog_.follow();
        if (!well) log_info("the shared storage is back", {{"storage", place_}});
        well = true;
        if (writes) make_base_when_due(base_due_since_ms);
      } catch (const std::exception& error) {
        if (well) log_error("the shared storage cannot be followed", {{"storage", place_}, {"why", error.what()}});
        well = false;
      }
    }
  }

  void make_base_when_due(int64_t& due_since_ms) {
    const int64_t now_ms = clock_.monotonic_ms();
    if (!log_.base_is_due()) {
      due_since_ms = 0;
    } else if (due_since_ms == 0) {
      due_since_ms =
          now_ms + static_cast<int64_t>(static_cast<unsigned char>(random_hex(1).front())) % 32 * (kBaseWaitMs / 32);
    } else if (now_ms >= due_since_ms) {
      due_since_ms = 0;
      maintain();
    }
  }

  bool wait_ms(int64_t ms) {
    std::unique_lock lock(mutex_);
    return stopped_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return stop_; });
  }

  const std::string place_;
  const Path folder_;
  Clock& clock_;
  const StorageParts parts_;
  const std::unique_ptr<SharedLease> lease_;
  SharedCatalogLog log_;
  Catalog catalog_;
  const std::unique_ptr<BlobStore> blobs_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;
  std::thread follower_;
};

}  // namespace

std::string process_name() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return fmt::format("{}/{}", host.data(), ::getpid());
}

std::unique_ptr<Storage> open_shared_storage(const MirrorConfig& config, StorageParts parts, Clock& clock,
                                             const StorageOptions& options) {
  return std::make_unique<SharedStorage>(config, std::move(parts), clock, options);
}

}  // namespace dae::mirror
