#pragma once
// Objects by key, as S3 has them: what a mirror of several machines shares. S3: s3_object_store.h.
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/hash.h"

namespace dae::mirror {

struct ObjectInfo {
  std::string key;
  std::string etag;  // opaque; changes with the bytes
  uint64_t size_bytes = 0;
  int64_t modified_ms = 0;  // by the store's clock; put() and touch() set it
};

struct ObjectBytes {
  std::string bytes, etag;
};

// A file on its way to the store. `sha256` is that of its bytes.
struct ObjectFile {
  std::string key;
  Path file;
  Digest sha256;
};

// Thread-safe. Keys have letters, digits, `-`, `_`, `.`, `/` only. Every call throws Error network when the store gives
// no usable answer; what put(), put_if() and remove() did then is not known. Error refused: the store denies access.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  virtual std::optional<ObjectInfo> head(const std::string& key) = 0;  // nullopt: none
  virtual std::optional<ObjectBytes> get(const std::string& key,
                                         uint64_t limit_bytes = 64ull << 20) = 0;  // nullopt: none
  // As get(), for whoever has it with this etag: `unchanged` and no bytes when it is the same.
  struct Fresh {
    bool unchanged = false;
    std::optional<ObjectBytes> object;
  };
  virtual Fresh get_unless(const std::string& key, const std::string& etag, uint64_t limit_bytes = 64ull << 20) = 0;
  // Appends to `into` what it lacks of the object, from its own size on (a download that goes on); nullopt: there is no
  // such object. The caller checks the digest. `on_progress` as Download::on_progress; `stop` ends it (interrupted).
  struct Fetch {
    Path into;
    uint64_t limit_bytes = 5ull << 30;
    std::function<void(uint64_t done, uint64_t total)> on_progress;
    std::shared_ptr<const std::atomic<bool>> stop;
  };
  virtual std::optional<ObjectInfo> get_file(const std::string& key, const Fetch& fetch) = 0;

  virtual std::string put(const std::string& key, std::string_view bytes) = 0;  // the etag
  // Many at once; all are there when it returns. At most 5 GB each.
  virtual void put_files(const std::vector<ObjectFile>& files) = 0;
  // Only if the object still has this etag, or, with "", there is none. nullopt: it is another. Else the new etag.
  virtual std::optional<std::string> put_if(const std::string& key, std::string_view bytes,
                                            const std::string& etag) = 0;
  virtual bool touch(const std::string& key) = 0;                         // false: none
  virtual void copy(const std::string& from, const std::string& to) = 0;  // Error not_found
  virtual void remove(const std::string& key) = 0;                        // none there is fine
  // Those whose key begins so, by key.
  virtual void list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) = 0;
};

// Error bad_input when a store could not take it, or would read it differently: other characters than above, more than
// 1000 of them, or an empty, `.` or `..` segment.
void check_object_key(std::string_view key);

}  // namespace dae::mirror
