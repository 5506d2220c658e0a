#pragma once
// Offsets of index-v2.pack, for index_store*.cc only. Header, table of slots, then records one after another.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "resolver/source/packed_bytes.h"

namespace dae::resolver::store {

inline constexpr const char* kFileName = "index-v2.pack";
inline constexpr std::string_view kMagic{"daeindx\2", 8};

// Header: magic, number of slots (a power of two), used slots, dead bytes; 64 bits each.
inline constexpr uint64_t kHeaderBytes = 64;
inline constexpr uint64_t kSlotsAt = 8, kUsedAt = 16, kDeadAt = 24;
// Slot: hash of kind and key 64 (0: never used), offset of the record 64 (0: removed), its bytes 64, day of last use
// 32, unused 32.
inline constexpr uint64_t kSlotBytes = 32;
inline constexpr uint64_t kSlotOffsetAt = 8, kSlotDayAt = 24;
inline constexpr uint64_t kMinSlots = 1 << 15, kMaxSlots = 1 << 26;
// Record: magic 32, bytes of key, note, hot and cold 32 each, unused 32, sum of key, note and hot 64, fetched and fresh
// until 64 each; then kind and key, note, hot, cold.
inline constexpr uint32_t kRecordMagic = 0x63655264;
inline constexpr uint64_t kRecordHeaderBytes = 48;
inline constexpr uint64_t kLifetimeAt = 32;

struct Slot {
  uint64_t hash = 0, offset = 0, bytes = 0;
  uint32_t day = 0;
};
inline Slot read_slot(const char* at) {
  return {packed::load<uint64_t>(at), packed::load<uint64_t>(at + 8), packed::load<uint64_t>(at + 16),
          packed::load<uint32_t>(at + 24)};
}
inline std::string slot_bytes(const Slot& slot) {
  std::string out;
  packed::put(out, slot.hash);
  packed::put(out, slot.offset);
  packed::put(out, slot.bytes);
  packed::put(out, slot.day);
  packed::put(out, uint32_t{0});
  return out;
}

struct Record {
  std::string_view key, note, hot, cold;  // `key` begins with the kind
  uint64_t sum = 0;
  int64_t fetched_ms = 0, fresh_until_ms = 0;
  std::string_view summed;
  bool intact() const { return packed::checksum(summed) == sum; }
};
// False when these are no record's bytes.
inline bool read_record(std::string_view bytes, Record& out) {
  using packed::load;
  if (bytes.size() < kRecordHeaderBytes || load<uint32_t>(bytes.data()) != kRecordMagic) return false;
  const uint64_t key = load<uint32_t>(bytes.data() + 4), note = load<uint32_t>(bytes.data() + 8);
  const uint64_t hot = load<uint32_t>(bytes.data() + 12), cold = load<uint32_t>(bytes.data() + 16);
  if (kRecordHeaderBytes + key + note + hot + cold != bytes.size()) return false;
  out.sum = load<uint64_t>(bytes.data() + 24);
  out.fetched_ms = load<int64_t>(bytes.data() + kLifetimeAt);
  out.fresh_until_ms = load<int64_t>(bytes.data() + kLifetimeAt + 8);
  const std::string_view body = bytes.substr(kRecordHeaderBytes);
  out.key = body.substr(0, key);
  out.note = body.substr(key, note);
  out.hot = body.substr(key + note, hot);
  out.cold = body.substr(key + note + hot);
  out.summed = body.substr(0, key + note + hot);
  return true;
}

inline uint64_t table_end(uint64_t slots) {
  return kHeaderBytes + slots * kSlotBytes;
}

inline std::string header_bytes(uint64_t slots, uint64_t used, uint64_t dead) {
  std::string out(kMagic);
  for (const uint64_t number : {slots, used, dead}) packed::put(out, number);
  out.resize(kHeaderBytes);
  return out;
}

// The number of slots, 0 when this is no store of ours (yet).
inline uint64_t slots_of(std::string_view header, uint64_t file_bytes) {
  if (header.size() < kHeaderBytes || header.substr(0, 8) != kMagic) return 0;
  const auto slots = packed::load<uint64_t>(header.data() + kSlotsAt);
  if (slots < kMinSlots || slots > kMaxSlots || (slots & (slots - 1)) != 0 || table_end(slots) > file_bytes) return 0;
  return slots;
}

}  // namespace dae::resolver::store
