#pragma once
// A set of a package's candidates: one bit per ordinal (0 = newest) and one last bit for "not selected at all", so that
// `p in S` and `not p in S` are both plain sets and the whole algebra of PubGrub's terms is word operations.
#include <array>
#include <bit>
#include <cstdint>
#include <memory>

namespace dae::resolver {

class VersionSet {
 public:
  VersionSet() = default;
  explicit VersionSet(uint32_t bits);  // empty
  static VersionSet full(uint32_t bits);
  static VersionSet single(uint32_t bits, uint32_t ordinal);
  VersionSet(const VersionSet& other) { assign(other); }
  VersionSet(VersionSet&&) noexcept = default;
  VersionSet& operator=(const VersionSet& other);
  VersionSet& operator=(VersionSet&&) noexcept = default;
  ~VersionSet() = default;

  uint32_t bits() const { return bits_; }
  bool test(uint32_t i) const { return (data()[i / 64] >> (i % 64) & 1) != 0; }
  void insert(uint32_t i) { data()[i / 64] |= uint64_t{1} << (i % 64); }
  void insert_run(uint32_t begin, uint32_t end);
  void erase(uint32_t i) { data()[i / 64] &= ~(uint64_t{1} << (i % 64)); }

  bool empty() const;
  bool is_full() const { return count() == bits_; }
  uint32_t count() const;
  // Smallest member not below `from`; bits() when there is none.
  uint32_t next(uint32_t from) const;

  VersionSet& operator&=(const VersionSet& other);
  VersionSet& operator|=(const VersionSet& other);
  VersionSet& remove(const VersionSet& other);
  VersionSet complement() const;

  bool subset_of(const VersionSet& other) const;
  bool disjoint(const VersionSet& other) const;
  bool operator==(const VersionSet& other) const;
  size_t hash() const;

 private:
  static constexpr uint32_t kInlineWords = 2;  // most packages have fewer than 127 versions
  uint32_t words() const { return (bits_ + 63) / 64; }
  bool is_small() const { return words() <= kInlineWords; }
  uint64_t* data() { return is_small() ? small_.data() : large_.get(); }
  const uint64_t* data() const { return is_small() ? small_.data() : large_.get(); }
  void assign(const VersionSet& other);

  uint32_t bits_ = 0;
  std::array<uint64_t, kInlineWords> small_{};
  std::unique_ptr<uint64_t[]> large_;
};

}  // namespace dae::resolver
