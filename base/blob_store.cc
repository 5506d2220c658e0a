#include "base/blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/dir.h"
#include "base/error.h"

namespace dae {
namespace {

constexpr mode_t kBlobMode = 0444;
constexpr std::string_view kAside = ".removed";
constexpr size_t kCopyBytes = 256 << 10, kHashBytes = 1 << 20;

[[noreturn]] void fail(std::string_view action, const Path& path) {
  const int code = errno;
  throw os_error("cannot " + std::string(action) + " `" + path.string() + "`", path.string(), code);
}

void require_equal(const Digest& found, const std::optional<Digest>& expected) {
  if (!expected || *expected == found) return;
  throw Error(ErrorKind::verification, "expected " + expected->oci() + ", got " + found.oci());
}

class DiskBlobStore;

class DiskBlobWriter final : public BlobWriter {
 public:
  explicit DiskBlobWriter(DiskBlobStore& store);
  ~DiskBlobWriter() override {
    if (fd_.valid()) ::unlink(path_.c_str());
  }
  void write(std::string_view bytes) override;
  void restart() override;
  uint64_t size_bytes() const override { return size_bytes_; }
  Digest commit(const std::optional<Digest>& expected) override;

 private:
  DiskBlobStore& store_;
  Path path_;
  Fd fd_;
  Sha256 hash_;
  uint64_t size_bytes_ = 0;
};

class DiskBlobStore final : public BlobStore {
 public:
  DiskBlobStore(const Path& root, Durability durability) : root_(root), durability_(durability) {
    make_dirs(root_ / "sha256");
    make_dirs(root_ / "tmp");
  }

  std::optional<uint64_t> size_bytes(const Digest& digest) const override {
    if (digest.empty()) return std::nullopt;
    const auto info = file_info(path(digest));
    if (!info || !info->is_file()) return std::nullopt;
    // What a power cut leaves of a file that was renamed before it was flushed is most often its name alone.
    if (info->size_bytes == 0 && digest != Digest::of("")) return std::nullopt;
    return info->size_bytes;
  }

  std::optional<StoredBlob> find(const Digest& digest) const override {
    const auto info = file_info(path(digest));
    if (!info || !info->is_file()) return std::nullopt;
    return StoredBlob{digest, info->size_bytes, info->mtime_ns / 1'000'000};
  }

  std::string read(const Digest& digest, uint64_t limit_bytes) const override {
    try {
      std::string bytes = read_file(path(digest), limit_bytes);
      if (durability_ != Durability::none || Digest::of(bytes) == digest) return bytes;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
    }
    throw Error(ErrorKind::not_found, "blob is not in the store", digest.oci());
  }

  Path path(const Digest& digest) const override {
    DAE_CHECK(!digest.empty());
    return root_ / "sha256" / digest.hex().substr(0, 2) / digest.hex();
  }

  std::unique_ptr<BlobWriter> writer() override { return std::make_unique<DiskBlobWriter>(*this); }

  Digest adopt(const Path& file, const std::optional<Digest>& expected) override {
    const Digest digest = sha256_file(file);
    require_equal(digest, expected);
    if (size_bytes(digest) == file_info(file)->size_bytes && touch(digest)) {
      remove_file(file);
      return digest;
    }
    const Path staged = temporary();
    if (::rename(file.c_str(), staged.c_str()) != 0) {
      if (errno != EXDEV) fail("take in", file);
      copy_file(file, staged, kBlobMode);
      remove_file(file);
    }
    store_file(staged, digest);
    return digest;
  }

  Digest copy_in(const Path& file, const std::optional<Digest>& expected) override;

  Path part(const Digest& digest) const override { return root_ / "tmp" / (digest.hex() + ".part"); }
  void adopt_part(const Path& part, const Digest& digest) override { store_file(part, digest); }

  bool remove(const Digest& digest) override { return remove_file(path(digest)); }
  bool touch(const Digest& digest) override;
  bool remove_untouched(const Digest& digest, int64_t since_ms) override;
  uint64_t tidy(int64_t since_ms) override;
  std::vector<StoredBlob> list(std::string_view first_two_digits) const override;

  bool verify(const Digest& digest, const std::function<void(uint64_t)>& on_bytes) const override;
  void quarantine(const Digest& digest) override;
  std::vector<StoredBlob> quarantined() const override { return list_in(quarantine_dir()); }
  uint64_t forget_quarantined(int64_t since_ms) override;

  void for_each(const Visit& visit) const override {
    for (const std::string& shard : list_dir(root_ / "sha256")) {
      const auto info = file_info(root_ / "sha256" / shard);
      if (!info || !info->is_dir()) continue;
      for (const std::string& name : list_dir(root_ / "sha256" / shard)) {
        if (!Digest::is_valid(name)) continue;
        const Digest digest = Digest::parse(name);
        if (const auto size = size_bytes(digest)) visit(digest, *size);
      }
    }
  }

  Path temporary() const { return root_ / "tmp" / random_hex(); }

  // Flushes `staged` (in tmp/) and gives it its name. Order: bytes, then the name, then the directory.
  void store_file(const Path& staged, const Digest& digest) {
    set_mode(staged, kBlobMode);
    const bool flush = durability_ != Durability::none;
    const Fd fd(flush ? ::open(staged.c_str(), O_RDONLY | O_CLOEXEC) : -1);
    if (flush && (!fd.valid() || ::fsync(fd.get()) != 0)) fail("flush", staged);
    const Path final_path = path(digest);
    bool new_shard = false;
    if (::rename(staged.c_str(), final_path.c_str()) != 0) {
      if (errno != ENOENT) fail("store", final_path);
      new_shard = ::mkdir(final_path.parent_path().c_str(), 0755) == 0;
      rename_path(staged, final_path);
    }
    if (durability_ != Durability::fsync) return;
    fsync_dir(final_path.parent_path());
    if (new_shard) fsync_dir(root_ / "sha256");
  }

 private:
  Path quarantine_dir() const { return root_.parent_path() / "quarantine"; }
  static std::vector<StoredBlob> list_in(const Path& dir);

  Path root_;
  Durability durability_;
};

DiskBlobWriter::DiskBlobWriter(DiskBlobStore& store) : store_(store), path_(store.temporary()) {
  fd_.reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd_.valid()) fail("create", path_);
}

void DiskBlobWriter::write(std::string_view bytes) {
  DAE_CHECK(fd_.valid());
  hash_.update(bytes);
  size_bytes_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd_.get(), bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail("write", path_);
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
}

void DiskBlobWriter::restart() {
  DAE_CHECK(fd_.valid());
  if (::ftruncate(fd_.get(), 0) != 0 || ::lseek(fd_.get(), 0, SEEK_SET) < 0) fail("truncate", path_);
  hash_ = Sha256();
  size_bytes_ = 0;
}

Digest DiskBlobStore::copy_in(const Path& file, const std::optional<Digest>& expected) {
  const Fd from(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from.valid()) fail("open", file);
  DiskBlobWriter into(*this);
  std::string buffer(kCopyBytes, '\0');
  while (true) {
    const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", file);
    if (got == 0) return into.commit(expected);
    into.write({buffer.data(), static_cast<size_t>(got)});
  }
}

Digest DiskBlobWriter::commit(const std::optional<Digest>& expected) {
  DAE_CHECK(fd_.valid());
  const Digest digest = hash_.finish();
  const bool wrong = expected && *expected != digest;
  if (wrong || (store_.size_bytes(digest) == size_bytes_ && store_.touch(digest))) {
    ::unlink(path_.c_str());
    fd_.reset();
    require_equal(digest, expected);
    return digest;
  }
  store_.store_file(path_, digest);
  fd_.reset();
  return digest;
}

bool DiskBlobStore::touch(const Digest& digest) {
  if (!has(digest)) return false;
  if (::utimensat(AT_FDCWD, path(digest).c_str(), nullptr, 0) == 0) return true;
  if (errno != ENOENT) fail("touch", path(digest));
  return false;
}

// Set aside, looked at, and only then removed: a touch between the look and the removal would go unseen. The name aside
// leads back, for tidy() after a kill.
bool DiskBlobStore::remove_untouched(const Digest& digest, int64_t since_ms) {
  const auto untouched = [&](const Path& file) {
    const auto info = file_info(file);
    return info && info->is_file() && info->mtime_ns / 1'000'000 < since_ms;
  };
  if (!untouched(path(digest))) return false;
  const Path aside = root_ / "tmp" / (digest.hex() + std::string(kAside));
  if (::rename(path(digest).c_str(), aside.c_str()) != 0) {
    if (errno != ENOENT) fail("set aside", path(digest));
    return false;
  }
  if (!untouched(aside)) {
    rename_path(aside, path(digest));
    return false;
  }
  return remove_file(aside);
}

uint64_t DiskBlobStore::tidy(int64_t since_ms) {
  uint64_t freed_bytes = 0;
  for (const std::string& name : list_dir(root_ / "tmp")) {
    const Path file = root_ / "tmp" / name;
    const auto info = file_info(file);
    if (!info || !info->is_file()) continue;
    const std::string hex = name.substr(0, std::min(name.find('.'), name.size()));
    if (Digest::is_valid(hex) && name == hex + std::string(kAside)) {
      const Digest digest = Digest::parse(hex);
      if (!has(digest)) rename_path(file, path(digest));
    } else if (info->mtime_ns / 1'000'000 < since_ms && remove_file(file)) {
      freed_bytes += info->size_bytes;
    }
  }
  return freed_bytes;
}

std::vector<StoredBlob> DiskBlobStore::list(std::string_view first_two_digits) const {
  return list_in(root_ / "sha256" / first_two_digits);
}

std::vector<StoredBlob> DiskBlobStore::list_in(const Path& dir) {
  std::vector<StoredBlob> found;
  for (const std::string& name : list_dir(dir)) {
    if (!Digest::is_valid(name)) continue;
    const auto info = file_info(dir / name);
    if (info && info->is_file()) found.push_back({Digest::parse(name), info->size_bytes, info->mtime_ns / 1'000'000});
  }
  return found;
}

// For who verifies all, the kernel's copy is dropped before, so that it is the disk that is verified, and after, so
// that what others need stays in memory instead.
bool DiskBlobStore::verify(const Digest& digest, const std::function<void(uint64_t)>& on_bytes) const {
  const Path file = path(digest);
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) return false;
  if (!fd.valid()) fail("open", file);
  if (on_bytes) ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  Sha256 hash;
  std::vector<char> buffer(kHashBytes);
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EIO) return false;
    if (got < 0) fail("read", file);
    if (got == 0) break;
    hash.update({buffer.data(), static_cast<size_t>(got)});
    if (on_bytes) on_bytes(static_cast<uint64_t>(got));
  }
  if (on_bytes) ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  return hash.finish() == digest;
}

void DiskBlobStore::quarantine(const Digest& digest) {
  make_dirs(quarantine_dir());
  try {
    rename_path(path(digest), quarantine_dir() / digest.hex());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;  // somebody else took it
    return;
  }
  // The time it was taken, not when the bytes were written.
  Dir::open(quarantine_dir()).touch(digest.hex().c_str());
}

uint64_t DiskBlobStore::forget_quarantined(int64_t since_ms) {
  uint64_t freed_bytes = 0;
  for (const StoredBlob& blob : quarantined()) {
    if (blob.touched_ms >= since_ms) continue;
    if (remove_file(quarantine_dir() / blob.digest.hex())) freed_bytes += blob.size_bytes;
  }
  return freed_bytes;
}

}  // namespace

Digest BlobStore::put(std::string_view bytes) {
  const Digest digest = Digest::of(bytes);
  if (touch(digest)) return digest;
  const auto blob = writer();
  blob->write(bytes);
  return blob->commit(digest);
}

void BlobStore::adopt_parts(const std::map<Digest, Path>& parts, const std::function<void()>& before_each) {
  for (const auto& [digest, part] : parts) {
    if (before_each) before_each();
    try {
      adopt_part(part, digest);
    } catch (const Error&) {
      if (!has(digest)) throw;
    }
  }
}

std::unique_ptr<BlobStore> open_blob_store(const Path& root, Durability durability) {
  return std::make_unique<DiskBlobStore>(root, durability);
}

}  // namespace dae
