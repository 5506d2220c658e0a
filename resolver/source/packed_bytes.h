#pragma once
// Numbers in and out of packed bytes (little-endian, unaligned), and the sum that tells damage. For packed_*.cc and
// index_store.cc. Sums guard against accidents, not against forgery: the cache belongs to the user.
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace dae::resolver::packed {

static_assert(std::endian::native == std::endian::little);

template <typename T>
T load(const char* at) {
  T out;
  std::memcpy(&out, at, sizeof out);
  return out;
}

template <typename T>
void put(std::string& out, T value) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  out.append(raw, sizeof value);
}

// Of valid digests only.
inline std::string from_hex(std::string_view hex) {
  std::string out;
  const auto value = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10); };
  for (size_t i = 0; i + 1 < hex.size(); i += 2) out += static_cast<char>(value(hex[i]) << 4 | value(hex[i + 1]));
  return out;
}

inline uint64_t mixed(uint64_t value) {
  value ^= value >> 32;
  value *= 0x9fb21c651e98df25ULL;
  value ^= value >> 29;
  return value;
}

// Four lanes keep the multiplier busy: about the speed of reading the bytes. Each step is a bijection of its lane, so
// that one changed byte always changes the sum.
inline uint64_t checksum(std::string_view bytes) {
  constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15ULL;
  uint64_t lanes[4] = {bytes.size(), 1, 2, 3};
  const char* at = bytes.data();
  size_t rest = bytes.size();
  for (; rest >= 32; rest -= 32, at += 32) {
    for (int i = 0; i < 4; ++i) lanes[i] = std::rotl((lanes[i] ^ load<uint64_t>(at + 8 * i)) * kMultiplier, 29);
  }
  for (; rest >= 8; rest -= 8, at += 8) lanes[0] = std::rotl((lanes[0] ^ load<uint64_t>(at)) * kMultiplier, 29);
  uint64_t last = 0;
  if (rest > 0) std::memcpy(&last, at, rest);
  lanes[1] = std::rotl((lanes[1] ^ last) * kMultiplier, 29);
  uint64_t out = 0;
  for (const uint64_t lane : lanes) out = mixed(out ^ lane) + kMultiplier;
  return out;
}

}  // namespace dae::resolver::packed
