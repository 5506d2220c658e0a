#include "mirror/storage/catalog_log.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/sqlite_changes.h"

namespace dae::mirror {
namespace {

const std::string kHead = "catalog/head";
constexpr uint64_t kHeadLimitBytes = 1u << 20;
constexpr uint64_t kEntryLimitBytes = 1u << 30;
constexpr size_t kRecent = 32;
// The right must last as long as a PUT of the head may be under way.
constexpr int64_t kPublishMs = 3000;
constexpr int kAsks = 5;
constexpr int64_t kAskAgainMs = 200;
// A lease that nobody has written under for so long is not in use any more.
constexpr int64_t kLeaseForgottenMs = 10 * 60'000;

int64_t schema_of(Database& db) {
  Statement version = db.prepare("PRAGMA user_version");
  return version.step() ? version.integer(0) : 0;
}

Error damaged(const std::string& place, const std::string& why) {
  return Error(ErrorKind::verification, "the shared catalog is damaged", place).because(why);
}

}  // namespace

// How far a copy is.
struct SharedCatalogLog::Position {
  int64_t sequence = 0;
  std::string last;
  int64_t log_bytes = 0;
};

SharedCatalogLog::Position SharedCatalogLog::position_of(Database& copy) {
  Statement row = copy.prepare("SELECT sequence, last, log_bytes FROM replica");
  if (!row.step()) return {};
  return {row.integer(0), row.text(1), row.integer(2)};
}

namespace {

void set_position(Database& copy, int64_t sequence, const std::string& last, int64_t log_bytes) {
  copy.prepare("INSERT OR REPLACE INTO replica(id, sequence, last, log_bytes) VALUES(1,?,?,?)")
      .bind(1, sequence)
      .bind(2, last)
      .bind(3, log_bytes)
      .run();
}

}  // namespace

SharedCatalogLog::SharedCatalogLog(ObjectStore& objects, SharedLease& lease, Clock& clock, CatalogLogOptions options)
    : objects_(objects), lease_(lease), clock_(clock), options_(std::move(options)), looked_ms_(clock.monotonic_ms()) {}

bool SharedCatalogLog::exists() {
  return objects_.head(kHead).has_value();
}

std::shared_ptr<const void> SharedCatalogLog::take_turn() {
  try {
    auto held = lease_.use(kPublishMs);
    turn_ = held;
    return held;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::refused) throw;
    throw Error(ErrorKind::network, "the right to write could not be had in time", options_.place, "try again")
        .because(error.cause().empty() ? error.message() : error.cause());
  }
}

bool SharedCatalogLog::read_head() {
  ObjectStore::Fresh fresh = objects_.get_unless(kHead, head_etag_, kHeadLimitBytes);
  looked_ms_ = clock_.monotonic_ms();
  if (fresh.unchanged) return true;
  head_.reset();
  head_etag_.clear();
  if (!fresh.object) return false;
  head_ = parse_head(fresh.object->bytes, options_.place + " " + kHead);
  head_etag_ = fresh.object->etag;
  return true;
}

void SharedCatalogLog::create_head(Database& copy) {
  CatalogHead head;
  head.schema = schema_of(copy);
  head.made_ms = clock_.wall_ms();
  head.writer = options_.writer;
  head.lease = options_.lease;
  const auto etag = objects_.put_if(kHead, write_head(head), "");
  if (etag) {
    head_ = std::move(head);
    head_etag_ = *etag;
  } else if (!read_head()) {
    throw damaged(options_.place, "its head comes and goes");
  }
}

void SharedCatalogLog::require_readable(Database& copy) const {
  if (head_->schema <= schema_of(copy)) return;
  throw Error(ErrorKind::refused, "the storage is written by a newer version of dae", options_.place,
              "use that version here, too");
}

// Two writers under different leases would not exclude each other.
void SharedCatalogLog::require_right(Database& copy) const {
  require_readable(copy);
  const auto turn = turn_.lock();
  DAE_CHECK(turn != nullptr);
  if (head_->lease != options_.lease && head_->sequence > 0) {
    if (clock_.wall_ms() - head_->made_ms < kLeaseForgottenMs) {
      throw Error(ErrorKind::refused, "the storage is written by others under another lease", options_.place,
                  "give `lease` in mirror.yaml as they do, or stop them and wait 10 minutes")
          .because("theirs is `" + head_->lease + "`, held by " + head_->writer);
    }
  } else if (head_->fence > turn->fence()) {
    throw Error(ErrorKind::network, "another process has taken over the writing", options_.place, "try again")
        .because(head_->writer);
  }
}

void SharedCatalogLog::note_position(const Position& at) {
  sequence_ = at.sequence;
  const int64_t since_base = head_->log_bytes - head_->base.log_bytes;
  const auto base_bytes = static_cast<int64_t>(head_->base.size_bytes);
  base_due_ = head_->sequence - head_->base.sequence >= options_.entries_between_bases ||
              since_base >= std::max(options_.least_log_bytes, base_bytes);
}

bool SharedCatalogLog::catch_up(Database& copy) {
  const auto turn = turn_.lock();
  // While the right is held, nobody else replaces the head.
  if (!turn || !turn->holds_for(0) || known_under_ != turn->fence() || !head_) {
    if (!read_head()) {
      if (position_of(copy).sequence > 0) {
        throw Error(ErrorKind::verification, "the shared catalog is gone", options_.place,
                    "restore `catalog/head` of the bucket; this machine's copy is left as it is");
      }
      if (!turn) return false;
      create_head(copy);
    }
    if (turn) known_under_ = turn->fence();
  }
  require_readable(copy);
  Position at = position_of(copy);
  const int64_t from = at.sequence;
  const std::string last = at.last;
  if (at.sequence != head_->sequence || at.last != head_->last()) {
    if (!may_follow(at) || !apply_log(copy)) {
      start_from_base(copy);
      if (!apply_log(copy)) throw damaged(options_.place, "the log does not go on from its base");
    }
    at = position_of(copy);
  }
  note_position(at);
  return at.sequence != from || at.last != last;
}

// Far behind the base, the base is less to fetch.
bool SharedCatalogLog::may_follow(const Position& at) const {
  if (at.sequence > head_->sequence) return false;
  return at.sequence >= head_->base.sequence ||
         head_->sequence - at.sequence <= static_cast<int64_t>(head_->recent.size());
}

// Their sha256, oldest first. The head names the last; each entry names the one before.
std::optional<std::vector<std::string>> SharedCatalogLog::entries_after(int64_t sequence) {
  std::vector<std::string> newest_first(head_->recent.rbegin(), head_->recent.rend());
  const auto wanted = static_cast<size_t>(head_->sequence - sequence);
  while (newest_first.size() < wanted) {
    const std::string key =
        log_key(head_->sequence - static_cast<int64_t>(newest_first.size()) + 1, newest_first.back());
    const auto object = objects_.get(key, kEntryLimitBytes);
    if (!object) return std::nullopt;
    newest_first.push_back(parse_entry(object->bytes, options_.place + " " + key).previous);
  }
  newest_first.resize(wanted);
  std::ranges::reverse(newest_first);
  return newest_first;
}

bool SharedCatalogLog::apply_log(Database& copy) {
  const Position start = position_of(copy);
  if (start.sequence > head_->sequence) return false;
  if (start.sequence == head_->sequence) return start.last == head_->last();
  const auto entries = entries_after(start.sequence);
  if (!entries) return false;
  int64_t sequence = start.sequence;
  for (const std::string& sha256 : *entries) {
    ++sequence;
    const std::string key = log_key(sequence, sha256);
    const auto object = objects_.get(key, kEntryLimitBytes);
    if (!object) return false;
    if (Digest::of(object->bytes).hex() != sha256) throw damaged(options_.place, "`" + key + "` has other bytes");
    const LogEntry entry = parse_entry(object->bytes, options_.place + " " + key);
    bool follows = true;
    copy.transaction([&] {
      const Position at = position_of(copy);
      if (at.sequence >= sequence) return;  // another process of this machine was faster
      follows = at.sequence + 1 == sequence && entry.sequence == sequence && entry.previous == at.last;
      if (!follows) return;
      apply_changes(copy, entry.changes);
      set_position(copy, sequence, sha256, at.log_bytes + static_cast<int64_t>(object->bytes.size()));
    });
    if (!follows) return false;
  }
  return position_of(copy).last == head_->last();
}

void SharedCatalogLog::start_from_base(Database& copy) {
  const CatalogBase& base = head_->base;
  const Position at = position_of(copy);
  log_warn("this machine's copy of the catalog is made anew", {{"storage", options_.place},
                                                               {"was_at", std::to_string(at.sequence)},
                                                               {"base", std::to_string(base.sequence)},
                                                               {"head", std::to_string(head_->sequence)}});
  make_dirs(options_.scratch_dir);
  const TempDir scratch("catalog-", options_.scratch_dir);
  const Path file = scratch.path() / "base.db";
  if (base.sequence > 0) {
    if (!objects_.get_file(base_key(base), {file, base.size_bytes, {}, {}})) {
      throw damaged(options_.place, "`" + base_key(base) + "` is gone");
    }
    if (sha256_file(file).hex() != base.sha256) {
      throw damaged(options_.place, "`" + base_key(base) + "` has other bytes");
    }
  }
  { Database::open(file, catalog_migrations()); }  // an empty one, or one of an older version
  for (const std::string& table : machine_tables()) {
    copy.execute("CREATE TEMP TABLE kept_" + table + " AS SELECT * FROM main." + table);
  }
  replace_database(copy, file);
  for (const std::string& table : machine_tables()) {
    copy.execute("INSERT OR IGNORE INTO main." + table + " SELECT * FROM temp.kept_" + table);
    copy.execute("DROP TABLE temp.kept_" + table);
  }
}

void SharedCatalogLog::publish(Database& copy, const std::string& changes) {
  DAE_CHECK(head_.has_value());
  require_right(copy);
  const Position at = position_of(copy);
  DAE_CHECK(at.sequence == head_->sequence);
  LogEntry entry{schema_of(copy), head_->sequence + 1, head_->last(), changes};
  const std::string bytes = write_entry(entry);
  const std::string sha256 = Digest::of(bytes).hex();
  objects_.put(log_key(entry.sequence, sha256), bytes);
  CatalogHead next = *head_;
  next.schema = std::max(next.schema, entry.schema);
  next.sequence = entry.sequence;
  next.log_bytes = at.log_bytes + static_cast<int64_t>(bytes.size());
  next.recent.push_back(sha256);
  if (next.recent.size() > kRecent) next.recent.erase(next.recent.begin());
  replace_head(std::move(next));
  set_position(copy, head_->sequence, sha256, head_->log_bytes);
  note_position({head_->sequence, sha256, head_->log_bytes});
}

bool SharedCatalogLog::head_is(const CatalogHead& wanted) {
  return read_head() && write_head(*head_) == write_head(wanted);
}

// The one step that makes a change: before it nobody has it, after it everybody will. An answer that was lost is asked
// for again: the head itself says whether it was replaced.
void SharedCatalogLog::replace_head(CatalogHead next) {
  const auto turn = turn_.lock();
  DAE_CHECK(turn != nullptr);
  next.fence = turn->fence();
  next.writer = options_.writer;
  next.lease = options_.lease;
  next.made_ms = clock_.wall_ms();
  if (!turn->holds_for(kPublishMs)) {
    throw Error(ErrorKind::network, "the right to write was lost before the change was made", options_.place);
  }
  known_under_ = 0;
  std::optional<std::string> etag;
  try {
    etag = objects_.put_if(kHead, write_head(next), head_etag_);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::network) throw;
    for (int ask = 0; ask < kAsks && turn->holds_for(0); ++ask) {
      try {
        if (head_is(next)) {
          known_under_ = turn->fence();
          return;
        }
        break;
      } catch (const Error&) {
        clock_.sleep_ms(kAskAgainMs);
      }
    }
    throw;
  }
  if (!etag) {
    if (!head_is(next)) {
      throw Error(ErrorKind::network, "another process wrote to the storage at the same time", options_.place,
                  "try again")
          .because(head_ ? head_->writer : "its head is gone");
    }
  } else {
    head_ = std::move(next);
    head_etag_ = *etag;
  }
  known_under_ = turn->fence();
}

CatalogBase SharedCatalogLog::upload_base(Database& connection) {
  make_dirs(options_.scratch_dir);
  const TempDir scratch("catalog-", options_.scratch_dir);
  const Path file = scratch.path() / "base.db";
  copy_database(connection, file);
  CatalogBase base;
  {
    Database copied = Database::open(file, catalog_migrations());
    for (const std::string& table : machine_tables()) copied.execute("DELETE FROM " + table);
    const Position at = position_of(copied);
    base.sequence = at.sequence;
    base.log_bytes = at.log_bytes;
    copied.execute("PRAGMA journal_mode = DELETE");  // one file
  }
  const Digest digest = sha256_file(file);
  base.sha256 = digest.hex();
  base.size_bytes = file_info(file)->size_bytes;
  if (base.sequence > 0) objects_.put_files({{base_key(base), file, digest}});
  return base;
}

void SharedCatalogLog::publish_base(Database& copy, const CatalogBase& base) {
  const auto turn = take_turn();
  catch_up(copy);
  require_right(copy);
  if (base.sequence <= head_->base.sequence) return;
  CatalogHead next = *head_;
  next.base = base;
  replace_head(std::move(next));
  note_position(position_of(copy));
}

uint64_t SharedCatalogLog::tidy(int64_t before_ms) {
  const auto object = objects_.get(kHead, kHeadLimitBytes);
  if (!object) return 0;
  const CatalogHead head = parse_head(object->bytes, options_.place + " " + kHead);
  std::vector<ObjectInfo> old;
  const std::string first_needed = log_key(head.base.sequence + 1, "");
  const auto add_if_old = [&](const ObjectInfo& info) {
    if (info.modified_ms < before_ms) old.push_back(info);
  };
  objects_.list("catalog/log/", [&](const ObjectInfo& info) {
    if (info.key < first_needed) add_if_old(info);
  });
  objects_.list("catalog/base/", [&](const ObjectInfo& info) {
    if (info.key < base_key({head.base.sequence, "", 0, 0})) add_if_old(info);
  });
  uint64_t bytes = 0;
  for (const ObjectInfo& info : old) {
    objects_.remove(info.key);
    bytes += info.size_bytes;
  }
  return bytes;
}

}  // namespace dae::mirror
