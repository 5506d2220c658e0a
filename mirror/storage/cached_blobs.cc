#include "mirror/storage/cached_blobs.h"

#include <filesystem>

#include "base/error.h"
#include "base/log.h"
#include "base/part_file.h"
#include "mirror/storage/blob_arrivals.h"
#include "mirror/storage/cache_keeper.h"
#include "mirror/storage/object_blobs.h"

namespace dae::mirror {
namespace {

// How exactly a file's time says when it was last used, and how long after its last use it surely stays: the difference
// is what is left to open what path() returned.
constexpr int64_t kUseMarkMs = 60'000, kSparedMs = 120'000;
// A file whose object is gone was either swept, and then nobody has asked for it for long, or its object was lost, and
// then it is the last copy: the next put or touch brings it back.
constexpr int64_t kLastCopyMs = 7 * 86'400'000;
constexpr size_t kFewFiles = 32;

void require_equal(const Digest& found, const std::optional<Digest>& expected) {
  if (!expected || *expected == found) return;
  throw Error(ErrorKind::verification, "expected " + expected->oci() + ", got " + found.oci());
}

Digest hash_as(const Path& file, const std::optional<Digest>& expected) {
  Digest digest = sha256_file(file);
  require_equal(digest, expected);
  return digest;
}

class CachedBlobStore;

class CachedBlobWriter final : public BlobWriter {
 public:
  CachedBlobWriter(CachedBlobStore& store, const Path& path)
      : store_(store), part_(PartFile::try_open(path)), path_(path) {
    if (!part_) throw Error(ErrorKind::io, "cannot lock the unfinished file", path);
  }
  ~CachedBlobWriter() override { discard(); }
  void write(std::string_view bytes) override;
  void restart() override { part_->clear(); }
  uint64_t size_bytes() const override { return part_->size(); }
  Digest commit(const std::optional<Digest>& expected) override;

 private:
  void discard() {
    try {
      if (part_) part_->discard();
    } catch (const Error& error) {
      log_debug("an unfinished file stays", {{"why", error.what()}});  // until tidy()
    }
    part_.reset();
  }

  CachedBlobStore& store_;
  std::unique_ptr<PartFile> part_;
  const Path path_;
};

class CachedBlobStore final : public BlobStore {
 public:
  CachedBlobStore(const Path& cache, ObjectStore& objects, SharedLease& lease, Clock& clock,
                  const CachedBlobsOptions& options)
      : tmp_(cache / "tmp"),
        cache_bytes_(options.cache_bytes),
        // What is sent by sendfile is not hashed: a name here must mean whole bytes, after a power cut too. That the
        // name itself is lost then is no harm.
        cache_(open_blob_store(cache, Durability::contents)),
        flushed_(open_blob_store(cache, Durability::none)),
        objects_(objects, lease, clock, options.touch_every_ms),
        keeper_(options.cache_bytes, [this] { shrink(); }),
        arrivals_(objects_, *cache_, tmp_, [this](uint64_t count) { keeper_.note_bytes(count); }) {}

  std::optional<uint64_t> size_bytes(const Digest& digest) const override {
    const auto here = cache_->size_bytes(digest);
    return here ? here : objects_.size_bytes(digest);
  }
  std::optional<StoredBlob> find(const Digest& digest) const override { return objects_.find(digest); }
  std::string read(const Digest& digest, uint64_t limit_bytes) const override;
  Path path(const Digest& digest) const override;
  bool is_near(const Digest& digest) const override { return cache_->has(digest); }
  void bring(const Digest& digest, const BlobWatch& watch) const override;

  std::unique_ptr<BlobWriter> writer() override {
    return std::make_unique<CachedBlobWriter>(*this, tmp_ / random_hex());
  }
  Digest adopt(const Path& file, const std::optional<Digest>& expected) override;
  Digest copy_in(const Path& file, const std::optional<Digest>& expected) override;
  Path part(const Digest& digest) const override { return cache_->part(digest); }
  void adopt_part(const Path& part, const Digest& digest) override;
  void adopt_parts(const std::map<Digest, Path>& parts, const std::function<void()>& before_each) override;

  bool remove(const Digest& digest) override {
    const bool removed = objects_.remove(digest);
    return cache_->remove(digest) || removed;
  }
  bool touch(const Digest& digest) override;
  bool remove_untouched(const Digest& digest, int64_t since_ms) override {
    if (!objects_.remove_untouched(digest, since_ms)) return false;
    cache_->remove(digest);
    return true;
  }
  uint64_t tidy(int64_t since_ms) override { return cache_->tidy(since_ms); }

  std::vector<StoredBlob> list(std::string_view first_two_digits) const override {
    std::vector<StoredBlob> found;
    objects_.list(first_two_digits, [&](const StoredBlob& blob) { found.push_back(blob); });
    return found;
  }
  void for_each(const Visit& visit) const override {
    objects_.list("", [&](const StoredBlob& blob) { visit(blob.digest, blob.size_bytes); });
  }
  void for_each_near(const Visit& visit) const override { cache_->for_each(visit); }

  bool verify(const Digest& digest, const std::function<void(uint64_t)>& on_bytes) const override {
    if (is_near(digest)) is_right_here(digest);
    return objects_.verify(digest, tmp_ / random_hex(), on_bytes);
  }
  void quarantine(const Digest& digest) override;
  std::vector<StoredBlob> quarantined() const override { return objects_.quarantined(); }
  uint64_t forget_quarantined(int64_t since_ms) override { return objects_.forget_quarantined(since_ms); }

 private:
  // Whether the cache has it with the right bytes; wrong ones go, to be fetched again.
  bool is_right_here(const Digest& digest) const;
  bool put_from_here(const Digest& digest);  // false: the cache does not have it
  void shrink();

  const Path tmp_;
  const uint64_t cache_bytes_;
  const std::unique_ptr<BlobStore> cache_;
  const std::unique_ptr<BlobStore> flushed_;  // the same, for files that are on the disk already
  mutable ObjectBlobs objects_;
  mutable CacheKeeper keeper_;
  mutable BlobArrivals arrivals_;
};

void CachedBlobWriter::write(std::string_view bytes) {
  DAE_CHECK(part_ != nullptr);
  part_->append(bytes);
}

Digest CachedBlobWriter::commit(const std::optional<Digest>& expected) {
  DAE_CHECK(part_ != nullptr);
  const Digest digest = part_->finish_hash();
  try {
    require_equal(digest, expected);
    store_.adopt_part(path_, digest);
  } catch (...) {
    discard();
    throw;
  }
  part_.reset();
  return digest;
}

std::string CachedBlobStore::read(const Digest& digest, uint64_t limit_bytes) const {
  // Twice: what is here may be wrong, or go while it is looked at.
  for (int tries = 1;; ++tries) {
    const Path file = path(digest);
    try {
      std::string bytes = read_file(file, limit_bytes);
      if (Digest::of(bytes) == digest) return bytes;
      cache_->remove(digest);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found || tries == 2) throw;
    }
    if (tries == 2) throw Error(ErrorKind::io, "what is read is not what was written", file);
  }
}

Path CachedBlobStore::path(const Digest& digest) const {
  Path file = cache_->path(digest);
  const auto here = is_near(digest) ? file_info(file) : std::nullopt;
  const bool marked = here && here->mtime_ns / 1'000'000 > SystemClock().wall_ms() - kUseMarkMs;
  if (!marked && !(here && cache_->touch(digest))) bring(digest, {});
  return file;
}

void CachedBlobStore::bring(const Digest& digest, const BlobWatch& watch) const {
  if (is_near(digest)) return;
  try {
    arrivals_.bring(digest, watch);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::io) keeper_.note_full();
    throw;
  }
}

Digest CachedBlobStore::adopt(const Path& file, const std::optional<Digest>& expected) {
  const Digest digest = hash_as(file, expected);
  const uint64_t size_bytes = file_info(file)->size_bytes;
  objects_.put(digest, file, size_bytes);
  cache_->adopt(file, digest);  // by copy, when it is on another file system
  keeper_.note_bytes(size_bytes);
  return digest;
}

Digest CachedBlobStore::copy_in(const Path& file, const std::optional<Digest>& expected) {
  const Path copy = tmp_ / random_hex();
  try {
    copy_file(file, copy);
    Digest digest = hash_as(copy, expected);
    adopt_part(copy, digest);
    return digest;
  } catch (...) {
    remove_file(copy);
    throw;
  }
}

void CachedBlobStore::adopt_part(const Path& part, const Digest& digest) {
  const auto info = file_info(part);
  if (!info) throw Error(ErrorKind::not_found, "the part is gone", part);
  objects_.put(digest, part, info->size_bytes);
  cache_->adopt_part(part, digest);
  keeper_.note_bytes(info->size_bytes);
}

void CachedBlobStore::adopt_parts(const std::map<Digest, Path>& parts, const std::function<void()>& before_each) {
  std::map<Digest, Path> here;
  uint64_t count = 0;
  for (const auto& [digest, part] : parts) {
    if (const auto info = file_info(part)) {
      here[digest] = part;
      count += info->size_bytes;
    } else if (!has(digest)) {
      throw Error(ErrorKind::not_found, "the part is gone", part);
    }
  }
  objects_.put_all(here);
  // One flush of the file system is cheaper than many of files, and dearer than a few.
  if (here.size() > kFewFiles) sync_file_system(tmp_);
  (here.size() > kFewFiles ? flushed_ : cache_)->adopt_parts(here, before_each);
  keeper_.note_bytes(count);
}

bool CachedBlobStore::touch(const Digest& digest) {
  const auto there = objects_.touch(digest);
  const auto here = cache_->size_bytes(digest);
  if (!here || (there && there->size_bytes == *here)) return there.has_value();
  // Lost there and not here, or one of the two is not whole.
  return put_from_here(digest) || there;
}

bool CachedBlobStore::is_right_here(const Digest& digest) const {
  if (cache_->verify(digest)) return true;
  if (cache_->remove(digest)) log_warn("a cached blob was damaged", {{"sha256", digest.hex()}});
  return false;
}

bool CachedBlobStore::put_from_here(const Digest& digest) {
  if (!is_right_here(digest)) return false;
  const auto here = cache_->find(digest);
  try {
    if (here) objects_.put(digest, cache_->path(digest), here->size_bytes);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    return false;  // it went from the cache meanwhile
  }
  if (here) log_debug("an object was put again from the cache", {{"sha256", digest.hex()}});
  return here.has_value();
}

void CachedBlobStore::quarantine(const Digest& digest) {
  objects_.quarantine(digest);
  put_from_here(digest);
}

void CachedBlobStore::shrink() {
  const int64_t now_ms = SystemClock().wall_ms();
  const auto may_go = [&](const StoredBlob& blob) {
    return objects_.find(blob.digest) || blob.touched_ms < now_ms - kLastCopyMs;
  };
  const EvictionLimits limits{cache_bytes_, std::filesystem::space(tmp_).available, now_ms - kSparedMs};
  const Eviction gone = evict(*cache_, limits, may_go);
  if (gone.blobs == 0) return;
  log_info("the cache of blobs was made smaller", {{"blobs", std::to_string(gone.blobs)},
                                                   {"freed", format_bytes(gone.bytes)},
                                                   {"held", format_bytes(gone.held_bytes)}});
}

}  // namespace

std::unique_ptr<BlobStore> open_cached_blobs(const Path& cache, ObjectStore& objects, SharedLease& lease, Clock& clock,
                                             CachedBlobsOptions options) {
  return std::make_unique<CachedBlobStore>(cache, objects, lease, clock, options);
}

}  // namespace dae::mirror
