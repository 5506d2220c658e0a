#pragma once
// Content-addressed bytes: <root>/sha256/ab/<hex>. Written to <root>/tmp, hashed while written, fsynced, renamed; never
// modified. The CLI cache, the mirror and every node use this one. Format: share/doc/formats/blob-store.md.
#include <cstdint>
#include <functional>
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

// A sweeper beside writers removes only what was not touched for a while. Hence: putting bytes that exist touches them,
// and who relies on bytes that it did not put calls touch() first.
class BlobStore {
 public:
  virtual ~BlobStore() = default;
  virtual std::optional<uint64_t> size_bytes(const Digest& digest) const = 0;  // nullopt: not there
  bool has(const Digest& digest) const { return size_bytes(digest).has_value(); }
  virtual std::string read(const Digest& digest, uint64_t limit_bytes = 64ull << 20) const = 0;  // not_found
  // A real file with these bytes, for sendfile, hard links and archives. Never write to it.
  virtual Path path(const Digest& digest) const = 0;
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
  virtual bool remove(const Digest& digest) = 0;
  virtual bool touch(const Digest& digest) = 0;  // false: not there
  // False: it was touched at `since_ms` or later, even while this runs, or is not there.
  virtual bool remove_untouched(const Digest& digest, int64_t since_ms) = 0;
  // Ends what was killed amid remove_untouched(), and removes what killed writers left before `since_ms`. The bytes
  // freed.
  virtual uint64_t tidy(int64_t since_ms) = 0;
  // Those whose digest begins with these two digits, in order; damaged ones too.
  virtual std::vector<StoredBlob> list(std::string_view first_two_digits) const = 0;
  virtual void for_each(const std::function<void(const Digest&, uint64_t size_bytes)>& visit) const = 0;
  // Re-hashes the stored bytes; false when they are not what the name says.
  bool verify(const Digest& digest) const;
};

// On disk; any number of processes and threads at once. Without fsync, a blob of the last seconds before a power cut
// may be torn afterwards: for caches, whose users check what they read and can have it again.
std::unique_ptr<BlobStore> open_blob_store(const Path& root, Durability durability = Durability::fsync);

}  // namespace dae
