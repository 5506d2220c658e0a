#pragma once
// The two forms of a Version, for version.cc and version_parse.cc only.
//
// Small form, one integer: release segments, suffix kind, suffix number, from the most significant bit down, so that
// integer order is PEP 440 order. The two lowest bits hold how many segments were written and do not count in
// comparisons ("1.0" and "1.0.0" differ there only). It holds epoch 0, up to four segments and at most one suffix;
// everything else is a shared, immutable Parts.
#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "resolver/standards/version.h"

namespace dae::resolver {

struct Version::Parts {
  uint64_t epoch = 0;
  std::vector<uint64_t> release;
  std::optional<std::pair<char, uint64_t>> pre;
  std::optional<uint64_t> post, dev;
  std::vector<LocalSegment> local;
  // Key of the equal small version ("1.0.0.0.0" is 1.0), or 0: one hash and one order across both forms.
  uint64_t order_key = 0;
};

namespace small {

inline constexpr int kCountBits = 2, kNumberBits = 15, kKindBits = 3;
inline constexpr int kNumberShift = kCountBits, kKindShift = kNumberShift + kNumberBits;
inline constexpr int kReleaseShift = kKindShift + kKindBits;
inline constexpr size_t kSegments = 4;
// Years (2026) and build numbers fit the first two.
inline constexpr std::array<int, kSegments> kSegmentBits = {14, 11, 10, 9};
inline constexpr std::array<int, kSegments> kSegmentShift = {kReleaseShift + 30, kReleaseShift + 19, kReleaseShift + 9,
                                                             kReleaseShift};
static_assert(kSegmentShift[0] + kSegmentBits[0] == 64);

// In PEP 440 order. Never 0, so that no key is 0.
enum Kind : uint64_t { dev = 1, alpha = 2, beta = 3, candidate = 4, final = 5, post = 6 };

inline uint64_t order(uint64_t key) {
  return key >> kCountBits;
}
inline uint64_t segment(uint64_t key, size_t index) {
  return (key >> kSegmentShift[index]) & ((uint64_t{1} << kSegmentBits[index]) - 1);
}
inline size_t count(uint64_t key) {
  return (key & 3) + 1;
}
inline Kind kind(uint64_t key) {
  return static_cast<Kind>((key >> kKindShift) & 7);
}
inline uint64_t number(uint64_t key) {
  return (key >> kNumberShift) & ((uint64_t{1} << kNumberBits) - 1);
}

// The key of a release and one suffix, or 0 when they do not fit.
inline uint64_t make(const uint64_t* release, size_t size, Kind kind, uint64_t number) {
  if (size == 0 || size > kSegments || number >> kNumberBits) return 0;
  uint64_t key = (static_cast<uint64_t>(kind) << kKindShift) | (number << kNumberShift) | (size - 1);
  for (size_t i = 0; i < size; ++i) {
    if (release[i] >> kSegmentBits[i]) return 0;
    key |= release[i] << kSegmentShift[i];
  }
  return key;
}

}  // namespace small
}  // namespace dae::resolver
