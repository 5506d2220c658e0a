// What the store is asked for by `dae cache` and when it is full.
#include <algorithm>
#include <bit>

#include "base/error.h"
#include "resolver/source/index_store.h"
#include "resolver/source/index_store_layout.h"

namespace dae::resolver {
namespace {

struct Live {
  store::Slot slot;
  std::string_view bytes;
  store::Record record;
};

// By offset, so that what was stored together stays together. Damaged records are left out.
std::vector<Live> live_records(const MappedFile& file) {
  std::vector<Live> out;
  const uint64_t slots = store::slots_of(file.view(0, store::kHeaderBytes), file.size_bytes());
  const std::string_view table = file.view(store::kHeaderBytes, slots * store::kSlotBytes);
  for (uint64_t i = 0; i < slots && !table.empty(); ++i) {
    Live one{store::read_slot(table.data() + i * store::kSlotBytes), {}, {}};
    if (one.slot.hash == 0 || one.slot.offset == 0) continue;
    one.bytes = file.view(one.slot.offset, one.slot.bytes);
    if (!store::read_record(one.bytes, one.record) || one.record.key.empty()) continue;
    out.push_back(one);
  }
  std::ranges::sort(out, {}, [](const Live& one) { return one.slot.offset; });
  return out;
}

}  // namespace

IndexStore::Summary IndexStore::summary() {
  Summary out;
  out.limit_bytes = limit_bytes_;
  const auto opened = file();
  if (!opened) return out;
  out.file = dir_ / store::kFileName;
  out.file_bytes = opened->size_bytes();
  for (const Live& one : live_records(*opened)) {
    Usage& usage = one.record.key[0] == static_cast<char>(Kind::page) ? out.pages : out.metadata;
    ++usage.entries;
    usage.bytes += one.slot.bytes;
  }
  if (const auto header = opened->view(0, store::kHeaderBytes); !header.empty()) {
    out.dead_bytes = packed::load<uint64_t>(header.data() + store::kDeadAt);
  }
  return out;
}

std::vector<IndexStore::Listed> IndexStore::list() {
  std::vector<Listed> out;
  const auto opened = file();
  if (!opened) return out;
  for (const Live& one : live_records(*opened)) {
    out.push_back(
        {static_cast<Kind>(one.record.key[0]), std::string(one.record.key.substr(1)), one.slot.bytes, one.slot.day});
  }
  return out;
}

void IndexStore::shrink(uint64_t keep_bytes) {
  write_touched();
  std::shared_ptr<MappedFile> opened = file();
  std::scoped_lock guard(write_mutex_);
  while (opened && opened->writable()) {
    opened->lock();
    if (opened->is_at(dir_ / store::kFileName)) {
      shrink_locked(opened, keep_bytes, store::kMinSlots);
      opened->unlock();
      return;
    }
    opened->unlock();
    opened = reopen();
  }
}

void IndexStore::shrink_locked(const std::shared_ptr<MappedFile>& old, uint64_t keep_bytes, uint64_t min_slots) {
  std::vector<Live> live = live_records(*old);
  std::erase_if(live, [](const Live& one) { return !one.record.intact(); });
  std::vector<const Live*> by_use;
  for (const Live& one : live) by_use.push_back(&one);
  std::ranges::stable_sort(by_use, [](const Live* a, const Live* b) {
    return a->slot.day != b->slot.day ? a->slot.day > b->slot.day : a->slot.offset > b->slot.offset;
  });
  std::vector<uint64_t> kept;  // offsets
  uint64_t bytes = 0;
  for (const Live* one : by_use) {
    bytes += (one->slot.bytes + 7) & ~uint64_t{7};
    if (bytes > keep_bytes) break;
    kept.push_back(one->slot.offset);
  }
  std::ranges::sort(kept);
  const uint64_t slots =
      std::min(store::kMaxSlots, std::max({store::kMinSlots, min_slots, std::bit_ceil(uint64_t{kept.size() + 1} * 2)}));
  const TempDir dir(".index-", dir_);
  const Path path = dir.path() / "pack";
  const auto made = MappedFile::open(path, 1);
  made->extend(store::table_end(slots));
  std::vector<store::Slot> table(slots);
  uint64_t end = store::table_end(slots);
  for (const Live& one : live) {
    if (!std::ranges::binary_search(kept, one.slot.offset)) continue;
    made->write(end, one.bytes);
    uint64_t at = one.slot.hash & (slots - 1);
    while (table[at].hash != 0) at = (at + 1) & (slots - 1);
    table[at] = {one.slot.hash, end, one.slot.bytes, one.slot.day};
    end = (end + one.slot.bytes + 7) & ~uint64_t{7};
  }
  for (uint64_t i = 0; i < slots; ++i) {
    if (table[i].hash != 0) made->write(store::kHeaderBytes + i * store::kSlotBytes, store::slot_bytes(table[i]));
  }
  made->write(0, store::header_bytes(slots, kept.size(), 0));
  rename_path(path, dir_ / store::kFileName);
  // Whoever waits for the lock of the old file finds that it is not in its place any more.
  reopen();
}

}  // namespace dae::resolver
