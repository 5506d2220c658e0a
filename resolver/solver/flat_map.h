#pragma once
// A hash map of 64-bit keys in one block of memory. A solve looks up and inserts some 10,000 facts and ranges; nodes
// of their own made a tenth of its time.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace dae::resolver {

class FlatMap {
 public:
  static constexpr uint64_t kFree = UINT64_MAX;  // no key

  // The value's place, and whether it is new (then it is 0). Valid until the next insertion.
  std::pair<uint32_t*, bool> try_emplace(uint64_t key) {
    if ((used_ + 1) * 4 > slots_.size() * 3) grow();
    Slot& slot = find_slot(key);
    const bool is_new = slot.key == kFree;
    if (is_new) {
      slot = {key, 0};
      ++used_;
    }
    return {&slot.value, is_new};
  }
  const uint32_t* find(uint64_t key) const {
    if (slots_.empty()) return nullptr;
    const Slot& slot = const_cast<FlatMap*>(this)->find_slot(key);
    return slot.key == kFree ? nullptr : &slot.value;
  }

 private:
  struct Slot {
    uint64_t key = kFree;
    uint32_t value = 0;
  };
  Slot& find_slot(uint64_t key) {
    const size_t mask = slots_.size() - 1;
    uint64_t hash = key * 0x9e3779b97f4a7c15U;
    size_t at = static_cast<size_t>(hash ^ (hash >> 32)) & mask;
    while (slots_[at].key != key && slots_[at].key != kFree) at = (at + 1) & mask;
    return slots_[at];
  }
  void grow() {
    std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 64 : slots_.size() * 2));
    for (const Slot& slot : old) {
      if (slot.key != kFree) find_slot(slot.key) = slot;
    }
  }

  std::vector<Slot> slots_;  // a power of two
  size_t used_ = 0;
};

}  // namespace dae::resolver
