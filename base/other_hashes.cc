#include "base/other_hashes.h"

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace dae {

// The low-level functions, for the reason that Sha256 has.
struct Md5::State {
  MD5_CTX context;
};

Md5::Md5() : state_(std::make_unique<State>()) {
  MD5_Init(&state_->context);
}
Md5::~Md5() = default;
Md5::Md5(Md5&&) noexcept = default;
Md5& Md5::operator=(Md5&&) noexcept = default;

void Md5::update(std::string_view bytes) {
  MD5_Update(&state_->context, bytes.data(), bytes.size());
}

std::string Md5::finish_bytes() {
  std::string out(MD5_DIGEST_LENGTH, '\0');
  MD5_Final(reinterpret_cast<unsigned char*>(out.data()), &state_->context);
  return out;
}

namespace {

// RFC 7693 section 2.6.
constexpr std::array<uint64_t, 8> kStart = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                                            0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                                            0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
// Section 2.7. Rounds 10 and 11 begin again.
constexpr uint8_t kOrder[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

static_assert(std::endian::native == std::endian::little);

inline void mix(std::array<uint64_t, 16>& v, size_t a, size_t b, size_t c, size_t d, uint64_t x, uint64_t y) {
  v[a] += v[b] + x;
  v[d] = std::rotr(v[d] ^ v[a], 32);
  v[c] += v[d];
  v[b] = std::rotr(v[b] ^ v[c], 24);
  v[a] += v[b] + y;
  v[d] = std::rotr(v[d] ^ v[a], 16);
  v[c] += v[d];
  v[b] = std::rotr(v[b] ^ v[c], 63);
}

}  // namespace

// Parameter block: 32 bytes of digest, no key, fanout and depth 1 (section 2.5).
Blake2b256::Blake2b256() : state_(kStart) {
  state_[0] ^= 0x01010000 ^ 32;
}

void Blake2b256::compress(const char* block, bool last) {
  std::array<uint64_t, 16> m, v;
  std::memcpy(m.data(), block, sizeof m);
  for (size_t i = 0; i < 8; ++i) {
    v[i] = state_[i];
    v[i + 8] = kStart[i];
  }
  v[12] ^= total_;
  if (last) v[14] = ~v[14];
  for (size_t round = 0; round < 12; ++round) {
    const uint8_t* s = kOrder[round % 10];
    mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
    mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
    mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
    mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
    mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
    mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
    mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
    mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
  }
  for (size_t i = 0; i < 8; ++i) state_[i] ^= v[i] ^ v[i + 8];
}

// The last block, full or not, is compressed by finish_bytes() alone: one is kept back.
void Blake2b256::update(std::string_view bytes) {
  while (!bytes.empty()) {
    if (held_ == buffer_.size()) {
      total_ += held_;
      compress(buffer_.data(), false);
      held_ = 0;
    }
    const size_t some = std::min(bytes.size(), buffer_.size() - held_);
    std::memcpy(buffer_.data() + held_, bytes.data(), some);
    held_ += some;
    bytes.remove_prefix(some);
  }
}

std::string Blake2b256::finish_bytes() {
  total_ += held_;
  std::fill(buffer_.begin() + static_cast<std::ptrdiff_t>(held_), buffer_.end(), '\0');
  compress(buffer_.data(), true);
  return std::string(reinterpret_cast<const char*>(state_.data()), 32);
}

}  // namespace dae
