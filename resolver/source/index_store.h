#pragma once
// What indexes answered, packed, in one file for all pages and metadata: <dir>/index-v2.pack. A lookup is a probe of a
// hash table and a look at mapped bytes; nothing is copied, nothing is opened but that file, and that only when first
// needed. Any number of threads and processes; killed at any point, it holds the entries that were finished.
// It is a cache: damage, a full disk or a directory that cannot be written make it forget, never fail.
// Format and measurements: share/doc/formats/page-cache.md.
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/events.h"
#include "base/fs.h"
#include "base/mapped_file.h"

namespace dae::resolver {

inline constexpr uint64_t kDefaultCacheBytes = uint64_t{2} << 30;
// $DAE_CACHE_MAX ("500MB", "2GiB", bytes) or the default. Throws Error usage on anything else.
uint64_t cache_limit_bytes();
uint64_t parse_size_bytes(std::string_view text);

class IndexStore {
 public:
  // Empty `dir`: keeps nothing. `events` hears of it when the store had to be made anew.
  IndexStore(Path dir, uint64_t limit_bytes, const Clock& clock, EventSink& events);
  ~IndexStore();  // notes the day on which entries were last used, once a day each
  IndexStore(const IndexStore&) = delete;
  IndexStore& operator=(const IndexStore&) = delete;

  enum class Kind : char { page = 'p', metadata = 'm' };
  struct Lifetime {
    int64_t fetched_ms = 0, fresh_until_ms = 0;
  };
  struct Entry {
    std::string_view hot, cold;  // `hot` is as it was stored, `cold` unchecked
    std::string_view note;       // as given to put(), checked
    Lifetime lifetime;
    std::shared_ptr<const void> owner;  // keeps the bytes alive
  };
  // `key`: the address of a page without credentials; the digest of a file.
  std::optional<Entry> find(Kind kind, std::string_view key);
  // Whether find() would most likely find something, and for how long it is good: without reading it.
  std::optional<Lifetime> peek(Kind kind, std::string_view key);
  void put(Kind kind, std::string_view key, std::string_view hot, std::string_view cold, std::string_view note,
           Lifetime lifetime);
  // The entry is as good as new: only the two numbers are written.
  void renew(Kind kind, std::string_view key, Lifetime lifetime);
  void remove(Kind kind, std::string_view key);

  struct Usage {
    uint64_t entries = 0, bytes = 0;
  };
  struct Summary {
    Path file;
    uint64_t file_bytes = 0;
    Usage pages, metadata;
    uint64_t dead_bytes = 0;  // replaced or removed
    uint64_t limit_bytes = 0;
  };
  Summary summary();
  struct Listed {
    Kind kind;
    std::string key;
    uint64_t bytes = 0;
    uint32_t last_used_day = 0;  // days since 1970
  };
  std::vector<Listed> list();  // as they stand in the file
  // Drops what is dead, and the entries not used for longest until `keep_bytes` are left; 0 leaves nothing. Rewrites
  // the file; who reads the old one goes on reading it.
  void shrink(uint64_t keep_bytes);

 private:
  struct Found {
    std::shared_ptr<MappedFile> file;
    uint64_t slot_offset = 0, offset = 0, bytes = 0;
    uint32_t day = 0;
  };
  class Writing;
  std::shared_ptr<MappedFile> file();  // null: keeps nothing
  std::shared_ptr<MappedFile> open_file();
  std::shared_ptr<MappedFile> reopen();
  std::optional<Found> locate(const std::shared_ptr<MappedFile>& file, Kind kind, std::string_view key) const;
  std::optional<Found> locate(Kind kind, std::string_view key);
  bool append(Kind kind, std::string_view key, std::string_view record);  // false: made room, once more
  void note_use(const Found& found);
  void give_up(const std::string& why);
  void shrink_locked(const std::shared_ptr<MappedFile>& old, uint64_t keep_bytes, uint64_t min_slots);
  void write_touched();
  uint32_t today() const;

  const Path dir_;
  const uint64_t limit_bytes_;
  const Clock& clock_;
  EventSink& events_;
  std::mutex mutex_;  // file_, touched_
  std::shared_ptr<MappedFile> file_;
  bool disabled_ = false;
  std::vector<std::pair<std::weak_ptr<MappedFile>, uint64_t>> touched_;  // slots used on an earlier day last
  std::mutex write_mutex_;                                               // one writer of this process at a time
};

}  // namespace dae::resolver
