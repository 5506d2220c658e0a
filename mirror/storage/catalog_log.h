#pragma once
// A catalog that several machines have copies of: every change is an immutable object in the shared storage, and one
// small head, replaced only if it is what the writer knew (a conditional PUT), says which is the last. Whoever holds
// the lease may write; a copy that fell far behind, or is new, starts from a base: a copy of the whole as of one entry.
// Format: share/doc/formats/shared-storage.md.
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "mirror/catalog.h"
#include "mirror/storage/catalog_head.h"
#include "mirror/storage/object_store.h"
#include "mirror/storage/shared_lease.h"

namespace dae::mirror {

struct CatalogLogOptions {
  std::string place = {};   // the storage's URL, for messages
  std::string writer = {};  // host and process
  std::string lease = {};   // which lease it is; a storage that was written under another is refused
  Path scratch_dir = {};    // where bases are fetched to
  // A base is made when the log since the last has this many entries or outgrows it.
  int64_t entries_between_bases = 512;
  int64_t least_log_bytes = 4 << 20;
};

// CatalogLog's promises; the rest is thread-safe.
class SharedCatalogLog final : public CatalogLog {
 public:
  SharedCatalogLog(ObjectStore& objects, SharedLease& lease, Clock& clock, CatalogLogOptions options);
  bool exists();  // somebody has written here
  std::shared_ptr<const void> take_turn() override;
  bool catch_up(Database& copy) override;
  void publish(Database& copy, const std::string& changes) override;

  bool base_is_due() const { return base_due_; }
  // Copies and uploads it, from a connection of the caller's; others write meanwhile.
  CatalogBase upload_base(Database& connection);
  void publish_base(Database& copy, const CatalogBase& base);  // within Catalog::maintain()
  // Removes bases and entries that no copy needs since `before_ms`. What was removed, in bytes.
  uint64_t tidy(int64_t before_ms);

  int64_t sequence() const { return sequence_.load(); }    // of the copy
  int64_t looked_ms() const { return looked_ms_.load(); }  // at the head, or when it began; monotonic

 private:
  struct Position;
  static Position position_of(Database& copy);
  bool read_head();  // false: there is none
  void create_head(Database& copy);
  void require_right(Database& copy) const;
  void require_readable(Database& copy) const;
  bool may_follow(const Position& at) const;
  bool apply_log(Database& copy);  // false: the copy has parted from the log, or its entries are gone
  std::optional<std::vector<std::string>> entries_after(int64_t sequence);
  void start_from_base(Database& copy);
  void replace_head(CatalogHead next);
  bool head_is(const CatalogHead& wanted);
  void note_position(const Position& at);

  ObjectStore& objects_;
  SharedLease& lease_;
  Clock& clock_;
  const CatalogLogOptions options_;
  std::optional<CatalogHead> head_;
  std::string head_etag_;
  std::weak_ptr<const HeldLease> turn_;  // of the write at work
  int64_t known_under_ = 0;              // the fence under which nobody else can have replaced the head
  std::atomic<int64_t> sequence_{0}, looked_ms_;
  std::atomic<bool> base_due_{false};
};

}  // namespace dae::mirror
