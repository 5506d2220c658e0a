#pragma once
// Content-addressed bytes: <root>/sha256/ab/<hex>. Written to <root>/tmp, hashed while written, fsynced, renamed; never
// modified. The CLI cache, the mirror and every node use this one. Format: share/doc/formats/blob-store.md.
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/hash.h"

namespace dae {

// A blob being written. Destroyed without commit(): nothing remains.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  virtual void write(std::string_view bytes) = 0;
  virtual void restart() = 0;  // forget what was written
  virtual uint64_t size_bytes() const = 0;
  // With `expected`, a different digest is Error verification and nothing is stored. Committing bytes that exist
  // already is fine.
  virtual Digest commit(const std::optional<Digest>& expected = {}) = 0;
};

struct StoredBlob {
  Digest digest;  // what its name says
  uint64_t size_bytes = 0;
  int64_t touched_ms = 0;  // written, or put again, or touch()ed
};

// Who looks on while a blob is fetched; called on whatever thread, after a stop also when the fetch has thrown already.
struct BlobWatch {
  // Of `part`, so many bytes are there, of `total`; 0: nobody knows.
  std::function<void(const Path& part, uint64_t done, uint64_t total)> on_progress;
  std::function<void()> on_restart;               // what came so far does not count
  std::shared_ptr<const std::atomic<bool>> stop;  // once true the fetch ends with the next bytes
};

// A sweeper beside writers removes only what was not touched for a while. Hence: putting bytes that exist touches them,
// and who relies on bytes that it did not put calls touch() first.
class BlobStore {
 public:
  virtual ~BlobStore() = default;
  virtual std::optional<uint64_t> size_bytes(const Digest& digest) const = 0;  // nullopt: not there
  bool has(const Digest& digest) const { return size_bytes(digest).has_value(); }
  virtual std::optional<StoredBlob> find(const Digest& digest) const = 0;                        // damaged ones too
  virtual std::string read(const Digest& digest, uint64_t limit_bytes = 64ull << 20) const = 0;  // not_found
  // A real file with these bytes, for sendfile, hard links and archives. Never write to it. Open it soon.
  virtual Path path(const Digest& digest) const = 0;
  // For stores whose bytes may be elsewhere: whether path() answers at once, and what it would wait for otherwise.
  // Throws Error not_found, network, verification (elsewhere are other bytes), interrupted (the watch's stop).
  virtual bool is_near(const Digest& digest) const { return has(digest); }
  virtual void bring(const Digest&, const BlobWatch& = {}) const {}
  virtual std::unique_ptr<BlobWriter> writer() = 0;
  Digest put(std::string_view bytes);
  // Takes the file in by rename or copy. Verifies `expected` when given.
  virtual Digest adopt(const Path& file, const std::optional<Digest>& expected = {}) = 0;
  // The same by copy: the file stays where it is.
  virtual Digest copy_in(const Path& file, const std::optional<Digest>& expected = {}) = 0;
  // Where a download of these bytes collects (PartialDownload). It stays over runs, so that the next goes on with it.
  virtual Path part(const Digest& digest) const = 0;
  // Gives a part its name. Whoever wrote it has checked the digest.
  virtual void adopt_part(const Path& part, const Digest& digest) = 0;
  // Many at once; `before_each` is called before each gets its name. One that is gone because somebody else put the
  // same bytes is fine.
  virtual void adopt_parts(const std::map<Digest, Path>& parts, const std::function<void()>& before_each = {});
  virtual bool remove(const Digest& digest) = 0;
  virtual bool touch(const Digest& digest) = 0;  // false: not there
  // False: it was touched at `since_ms` or later, even while this runs, or is not there.
  virtual bool remove_untouched(const Digest& digest, int64_t since_ms) = 0;
  // Ends what was killed amid remove_untouched(), and removes what killed writers left before `since_ms`. The bytes
  // freed.
  virtual uint64_t tidy(int64_t since_ms) = 0;
  // Those whose digest begins with these two digits, in order; damaged ones too.
  virtual std::vector<StoredBlob> list(std::string_view first_two_digits) const = 0;
  using Visit = std::function<void(const Digest&, uint64_t size_bytes)>;
  virtual void for_each(const Visit& visit) const = 0;
  virtual void for_each_near(const Visit& visit) const { for_each(visit); }  // those on this machine
  // Re-hashes the stored bytes; false when they are not what the name says, cannot be read, or are not there. With
  // `on_bytes` for who verifies them all: bytes come from the disk and do not stay in memory.
  virtual bool verify(const Digest& digest, const std::function<void(uint64_t)>& on_bytes = {}) const = 0;
  // Wrong bytes are kept for whoever wants to know why, where nothing serves them; the store does not have them from
  // here on. On disk: <root>/../quarantine/<64 digits>.
  virtual void quarantine(const Digest& digest) = 0;
  virtual std::vector<StoredBlob> quarantined() const = 0;    // `touched_ms`: when they were
  virtual uint64_t forget_quarantined(int64_t since_ms) = 0;  // those of before; the bytes freed
};

// On disk; any number of processes and threads at once. With `contents`, a name may be lost in a power cut, but what
// has one is whole. With `none`, a blob of the last seconds before a power cut may be torn afterwards: for caches,
// whose users check what they read and can have it again.
std::unique_ptr<BlobStore> open_blob_store(const Path& root, Durability durability = Durability::fsync);

}  // namespace dae
