#include "resolver/source/index_store.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "resolver/source/index_store_layout.h"

namespace dae::resolver {
namespace {

using packed::load;

constexpr int64_t kDayMs = int64_t{24} * 3600 * 1000;
// Beyond the limit, for what another process with a higher one may have written.
constexpr uint64_t kSpareBytes = uint64_t{256} << 20;
// With less room the table of slots alone would fill it, and every entry would push out the one before.
constexpr uint64_t kMinLimitBytes = uint64_t{4} << 20;
constexpr uint64_t kMaxRecordBytes = uint64_t{1} << 30;
// Rewriting pays when this much is dead, and half of the file.
constexpr uint64_t kDeadBytes = uint64_t{64} << 20;

std::string full_key(IndexStore::Kind kind, std::string_view key) {
  std::string out(1, static_cast<char>(kind));
  out += key;
  return out;
}

uint64_t hash_of(std::string_view key) {
  return packed::checksum(key) | 1;  // never 0
}

uint64_t number_at(const MappedFile& file, uint64_t offset) {
  const std::string_view bytes = file.view(offset, 8);
  return bytes.empty() ? 0 : load<uint64_t>(bytes.data());
}

void write_number(MappedFile& file, uint64_t offset, uint64_t value) {
  std::string bytes;
  packed::put(bytes, value);
  file.write(offset, bytes);
}

uint64_t slots_in(const MappedFile& file) {
  return store::slots_of(file.view(0, store::kHeaderBytes), file.size_bytes());
}

}  // namespace

uint64_t parse_size_bytes(std::string_view text) {
  std::string word = lower(trim(text));
  uint64_t factor = 1;
  const std::pair<std::string_view, uint64_t> units[] = {{"kib", 1ull << 10},
                                                         {"mib", 1ull << 20},
                                                         {"gib", 1ull << 30},
                                                         {"tib", 1ull << 40},
                                                         {"kb", 1000},
                                                         {"mb", 1000'000},
                                                         {"gb", 1000'000'000},
                                                         {"tb", 1000'000'000'000},
                                                         {"k", 1ull << 10},
                                                         {"m", 1ull << 20},
                                                         {"g", 1ull << 30},
                                                         {"t", 1ull << 40},
                                                         {"b", 1}};
  for (const auto& [unit, bytes] : units) {
    if (!word.ends_with(unit)) continue;
    word.resize(word.size() - unit.size());
    factor = bytes;
    break;
  }
  const auto number = parse_int(trim(word));
  if (!number || *number < 0 || static_cast<uint64_t>(*number) > (uint64_t{1} << 60) / factor) {
    throw Error(ErrorKind::usage, "not a size: `" + std::string(text.substr(0, 40)) + "`", "",
                "write it like 500MB or 2GiB");
  }
  return static_cast<uint64_t>(*number) * factor;
}

uint64_t cache_limit_bytes() {
  const auto text = env_var("DAE_CACHE_MAX");
  if (!text) return kDefaultCacheBytes;
  try {
    return parse_size_bytes(*text);
  } catch (const Error& error) {
    throw Error(error.kind(), error.message(), "DAE_CACHE_MAX", error.hint());
  }
}

IndexStore::IndexStore(Path dir, uint64_t limit_bytes, const Clock& clock, EventSink& events)
    : dir_(std::move(dir)),
      limit_bytes_(std::max(limit_bytes, kMinLimitBytes)),
      clock_(clock),
      events_(events),
      disabled_(dir_.empty()) {}

IndexStore::~IndexStore() {
  try {
    write_touched();
  } catch (const Error& error) {
    log_debug("the days of use were not noted", {{"error", error.what()}});
  }
}

uint32_t IndexStore::today() const {
  return static_cast<uint32_t>(clock_.wall_ms() / kDayMs);
}

void IndexStore::give_up(const std::string& why) {
  disabled_ = true;
  file_ = nullptr;
  log_debug("going without the cache of indexes", {{"dir", dir_.string()}, {"error", why}});
}

std::shared_ptr<MappedFile> IndexStore::file() {
  std::scoped_lock lock(mutex_);
  if (file_ || disabled_) return file_;
  try {
    file_ = open_file();
  } catch (const Error& error) {
    give_up(error.what());
  }
  return file_;
}

// A file that is no store of ours is either just being made, by a process that holds its lock, or damaged.
std::shared_ptr<MappedFile> IndexStore::open_file() {
  make_dirs(dir_);
  const Path path = dir_ / store::kFileName;
  for (int attempt = 0; attempt < 10; ++attempt) {
    auto file = MappedFile::open(path, limit_bytes_ + kSpareBytes);
    if (slots_in(*file) != 0 || !file->writable()) return file;
    file->lock();
    const bool ours = file->is_at(path) && slots_in(*file) == 0;
    if (!ours) {
      file->unlock();
      continue;
    }
    const std::string_view begin = file->view(0, std::min(file->size_bytes(), store::kHeaderBytes));
    if (begin.find_first_not_of('\0') == std::string_view::npos) {  // new, or whoever made it was killed
      file->extend(store::table_end(store::kMinSlots));
      file->write(0, store::header_bytes(store::kMinSlots, 0, 0));
      file->unlock();
      return file;
    }
    rename_path(path, Path(path).concat(".damaged"));
    warning(events_, "the cache of indexes was damaged and is made anew: " + path.string());
    file->unlock();
  }
  throw Error(ErrorKind::io, "the cache of indexes changes all the time", path.string());
}

std::shared_ptr<MappedFile> IndexStore::reopen() {
  std::scoped_lock lock(mutex_);
  file_ = open_file();
  return file_;
}

std::optional<IndexStore::Found> IndexStore::locate(const std::shared_ptr<MappedFile>& file, Kind kind,
                                                    std::string_view key) const {
  const std::string wanted = full_key(kind, key);
  const uint64_t hash = hash_of(wanted);
  const uint64_t slots = number_at(*file, store::kSlotsAt);
  const std::string_view table = file->view(store::kHeaderBytes, slots * store::kSlotBytes);
  if (table.empty()) return std::nullopt;
  for (uint64_t probe = 0; probe < slots; ++probe) {
    const uint64_t at = ((hash + probe) & (slots - 1)) * store::kSlotBytes;
    const store::Slot slot = store::read_slot(table.data() + at);
    if (slot.hash == 0) return Found{file, store::kHeaderBytes + at, 0, 0, 0};
    if (slot.hash != hash) continue;
    if (slot.offset == 0 || slot.bytes > kMaxRecordBytes) return Found{file, store::kHeaderBytes + at, 0, 0, 0};
    store::Record record;
    // Another key with this hash, or damage: a key that cannot be read is taken to be ours and is written over.
    if (store::read_record(file->view(slot.offset, slot.bytes), record)) {
      if (record.key != wanted) continue;
      return Found{file, store::kHeaderBytes + at, slot.offset, slot.bytes, slot.day};
    }
    return Found{file, store::kHeaderBytes + at, 0, 0, 0};
  }
  return std::nullopt;
}

std::optional<IndexStore::Found> IndexStore::locate(Kind kind, std::string_view key) {
  const auto opened = file();
  auto found = opened ? locate(opened, kind, key) : std::nullopt;
  return found && found->offset != 0 ? found : std::nullopt;
}

void IndexStore::note_use(const Found& found) {
  if (found.day >= today()) return;
  std::scoped_lock lock(mutex_);
  touched_.emplace_back(found.file, found.slot_offset);
}

std::optional<IndexStore::Entry> IndexStore::find(Kind kind, std::string_view key) {
  const auto found = locate(kind, key);
  if (!found) return std::nullopt;
  store::Record record;
  if (!store::read_record(found->file->view(found->offset, found->bytes), record) || !record.intact()) {
    return std::nullopt;
  }
  note_use(*found);
  return Entry{record.hot, record.cold, record.note, {record.fetched_ms, record.fresh_until_ms}, found->file};
}

std::optional<IndexStore::Lifetime> IndexStore::peek(Kind kind, std::string_view key) {
  const auto found = locate(kind, key);
  store::Record record;
  if (!found || !store::read_record(found->file->view(found->offset, found->bytes), record)) return std::nullopt;
  return Lifetime{record.fetched_ms, record.fresh_until_ms};
}

// Holds both locks, on the file that is in its place at that moment.
class IndexStore::Writing {
 public:
  explicit Writing(IndexStore& store) : guard_(store.write_mutex_), file_(store.file()) {
    while (file_ && file_->writable()) {
      file_->lock();
      if (file_->is_at(store.dir_ / store::kFileName)) return;
      file_->unlock();
      file_ = store.reopen();
    }
    file_ = nullptr;
  }
  ~Writing() {
    if (file_) file_->unlock();
  }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  const std::shared_ptr<MappedFile>& file() const { return file_; }

 private:
  std::scoped_lock<std::mutex> guard_;
  std::shared_ptr<MappedFile> file_;
};

void IndexStore::put(Kind kind, std::string_view key, std::string_view hot, std::string_view cold,
                     std::string_view note, Lifetime lifetime) {
  const std::string name = full_key(kind, key);
  const uint64_t bytes = store::kRecordHeaderBytes + name.size() + note.size() + hot.size() + cold.size();
  if (bytes > kMaxRecordBytes || bytes > limit_bytes_ / 2) return;
  std::string record;
  record.reserve(bytes);
  packed::put(record, store::kRecordMagic);
  for (const size_t size : {name.size(), note.size(), hot.size(), cold.size(), size_t{0}}) {
    packed::put(record, static_cast<uint32_t>(size));
  }
  packed::put(record, uint64_t{0});  // the sum, below
  packed::put(record, lifetime.fetched_ms);
  packed::put(record, lifetime.fresh_until_ms);
  for (const std::string_view part : {std::string_view(name), note, hot, cold}) record += part;
  const std::string_view summed(record.data() + store::kRecordHeaderBytes, name.size() + note.size() + hot.size());
  const uint64_t sum = packed::checksum(summed);
  std::memcpy(record.data() + 24, &sum, sizeof sum);
  try {
    // The second time in the smaller file that took the place of the first.
    if (!append(kind, key, record)) append(kind, key, record);
  } catch (const Error& error) {
    log_debug("the cache of indexes takes nothing in", {{"error", error.what()}});
  }
}

bool IndexStore::append(Kind kind, std::string_view key, std::string_view record) {
  const Writing writing(*this);
  const std::shared_ptr<MappedFile>& file = writing.file();
  if (!file) return true;
  const uint64_t bytes = record.size();
  const uint64_t end = (file->size_bytes() + 7) & ~uint64_t{7};
  const uint64_t slots = number_at(*file, store::kSlotsAt), used = number_at(*file, store::kUsedAt);
  const uint64_t dead = number_at(*file, store::kDeadAt);
  const bool full = end + bytes > limit_bytes_, crowded = used * 10 > slots * 7;
  if (full || crowded || (dead > kDeadBytes && dead > end / 2)) {
    // A quarter of the room is made at once: not again with every entry.
    const uint64_t room = limit_bytes_ / 4 * 3, taken = bytes + store::table_end(crowded ? slots * 2 : slots);
    shrink_locked(file, room - std::min(room, taken), crowded ? slots * 2 : slots);
    return false;
  }
  const auto place = locate(file, kind, key);
  if (!place) return true;
  const store::Slot before = store::read_slot(file->view(place->slot_offset, store::kSlotBytes).data());
  // The record first: a slot never points to what is not there yet. Where this process dies in between, the bytes
  // are dead.
  file->write(end, record);
  file->write(place->slot_offset, store::slot_bytes({hash_of(full_key(kind, key)), end, bytes, today()}));
  if (before.hash == 0) write_number(*file, store::kUsedAt, used + 1);
  if (before.offset != 0) write_number(*file, store::kDeadAt, dead + before.bytes);
  return true;
}

void IndexStore::renew(Kind kind, std::string_view key, Lifetime lifetime) {
  try {
    Writing writing(*this);
    if (!writing.file()) return;
    const auto found = locate(writing.file(), kind, key);
    if (!found || found->offset == 0) return;
    std::string numbers;
    packed::put(numbers, lifetime.fetched_ms);
    packed::put(numbers, lifetime.fresh_until_ms);
    writing.file()->write(found->offset + store::kLifetimeAt, numbers);
  } catch (const Error& error) {
    log_debug("the cache of indexes takes nothing in", {{"error", error.what()}});
  }
}

void IndexStore::remove(Kind kind, std::string_view key) {
  Writing writing(*this);
  if (!writing.file()) return;
  const auto found = locate(writing.file(), kind, key);
  if (!found || found->offset == 0) return;
  // The hash stays: probing for other keys goes on beyond it.
  write_number(*writing.file(), found->slot_offset + store::kSlotOffsetAt, 0);
  write_number(*writing.file(), store::kDeadAt, number_at(*writing.file(), store::kDeadAt) + found->bytes);
}

// Slots of one file never change their key: the day can be written without the lock.
void IndexStore::write_touched() {
  std::scoped_lock lock(mutex_);
  std::string day;
  packed::put(day, today());
  for (const auto& [weak, slot] : touched_) {
    const auto file = weak.lock();
    if (file && file->writable()) file->write(slot + store::kSlotDayAt, day);
  }
  touched_.clear();
}

}  // namespace dae::resolver
