#include "resolver/solver/version_set.h"

#include <algorithm>

namespace dae::resolver {

VersionSet::VersionSet(uint32_t bits) : bits_(bits) {
  if (!is_small()) words_.large = new uint64_t[words()]();
}

VersionSet VersionSet::full(uint32_t bits) {
  VersionSet out(bits);
  uint64_t* words = out.data();
  for (uint32_t i = 0; i < out.words(); ++i) words[i] = ~uint64_t{0};
  if (bits % 64 != 0) words[bits / 64] = (uint64_t{1} << (bits % 64)) - 1;
  return out;
}

VersionSet VersionSet::single(uint32_t bits, uint32_t ordinal) {
  VersionSet out(bits);
  out.insert(ordinal);
  return out;
}

VersionSet& VersionSet::operator=(const VersionSet& other) {
  if (this == &other) return *this;
  if (!is_small() && words() == other.words()) {
    bits_ = other.bits_;
    std::copy_n(other.words_.large, words(), words_.large);
    return *this;
  }
  release();
  bits_ = other.bits_;
  copy_words(other);
  return *this;
}

VersionSet& VersionSet::operator=(VersionSet&& other) noexcept {
  if (this == &other) return *this;
  release();
  bits_ = other.bits_;
  take(other);
  return *this;
}

void VersionSet::copy_words(const VersionSet& other) {
  if (is_small()) {
    words_ = other.words_;
    return;
  }
  words_.large = new uint64_t[words()];
  std::copy_n(other.words_.large, words(), words_.large);
}

void VersionSet::insert_run(uint32_t begin, uint32_t end) {
  uint64_t* a = data();
  while (begin < end) {
    const uint32_t stop = std::min(end, (begin / 64 + 1) * 64);
    const uint32_t width = stop - begin;
    const uint64_t ones = width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1;
    a[begin / 64] |= ones << (begin % 64);
    begin = stop;
  }
}

bool VersionSet::empty() const {
  const uint64_t* a = data();
  for (uint32_t i = 0; i < words(); ++i) {
    if (a[i] != 0) return false;
  }
  return true;
}

uint32_t VersionSet::count() const {
  uint32_t sum = 0;
  const uint64_t* a = data();
  for (uint32_t i = 0; i < words(); ++i) sum += static_cast<uint32_t>(std::popcount(a[i]));
  return sum;
}

uint32_t VersionSet::next(uint32_t from) const {
  if (from >= bits_) return bits_;
  const uint64_t* a = data();
  uint32_t word = from / 64;
  uint64_t rest = a[word] & (~uint64_t{0} << (from % 64));
  while (rest == 0) {
    if (++word >= words()) return bits_;
    rest = a[word];
  }
  return word * 64 + static_cast<uint32_t>(std::countr_zero(rest));
}

bool VersionSet::is_single() const {
  const uint64_t* a = data();
  bool found = false;
  for (uint32_t i = 0; i < words(); ++i) {
    if (a[i] == 0) continue;
    if (found || !std::has_single_bit(a[i])) return false;
    found = true;
  }
  return found;
}

uint32_t VersionSet::first_common(const VersionSet& other) const {
  const uint64_t* a = data();
  const uint64_t* b = other.data();
  for (uint32_t i = 0; i < words(); ++i) {
    if (const uint64_t both = a[i] & b[i]) return i * 64 + static_cast<uint32_t>(std::countr_zero(both));
  }
  return bits_;
}

uint32_t VersionSet::last_common(const VersionSet& other) const {
  const uint64_t* a = data();
  const uint64_t* b = other.data();
  for (uint32_t i = words(); i-- > 0;) {
    if (const uint64_t both = a[i] & b[i]) return i * 64 + 63 - static_cast<uint32_t>(std::countl_zero(both));
  }
  return bits_;
}

VersionSet& VersionSet::operator&=(const VersionSet& other) {
  uint64_t* a = data();
  const uint64_t* b = other.data();
  for (uint32_t i = 0; i < words(); ++i) a[i] &= b[i];
  return *this;
}

VersionSet& VersionSet::operator|=(const VersionSet& other) {
  uint64_t* a = data();
  const uint64_t* b = other.data();
  for (uint32_t i = 0; i < words(); ++i) a[i] |= b[i];
  return *this;
}

VersionSet& VersionSet::remove(const VersionSet& other) {
  uint64_t* a = data();
  const uint64_t* b = other.data();
  for (uint32_t i = 0; i < words(); ++i) a[i] &= ~b[i];
  return *this;
}

VersionSet VersionSet::complement() const {
  return full(bits_).remove(*this);
}

bool VersionSet::operator==(const VersionSet& other) const {
  return bits_ == other.bits_ && std::equal(data(), data() + words(), other.data());
}

bool VersionSet::subset_of_union(const VersionSet& a, const VersionSet& b) const {
  const uint64_t* own = data();
  const uint64_t* left = a.data();
  const uint64_t* right = b.data();
  for (uint32_t i = 0; i < words(); ++i) {
    if ((own[i] & ~(left[i] | right[i])) != 0) return false;
  }
  return true;
}

size_t VersionSet::hash() const {
  uint64_t sum = 0;
  const uint64_t* a = data();
  for (uint32_t i = 0; i < words(); ++i) sum = (sum ^ a[i]) * 0x9e3779b97f4a7c15U ^ (sum >> 29);
  return static_cast<size_t>(sum);
}

}  // namespace dae::resolver
