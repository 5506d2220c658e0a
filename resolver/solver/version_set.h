#pragma once
// A set of a package's candidates: one bit per ordinal (0 = newest) and one last bit for "not selected at all", so that
// `p in S` and `not p in S` are both plain sets and the whole algebra of PubGrub's terms is word operations.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace dae::resolver {

class VersionSet {
 public:
  VersionSet() = default;
  explicit VersionSet(uint32_t bits);  // empty
  static VersionSet full(uint32_t bits);
  static VersionSet single(uint32_t bits, uint32_t ordinal);
  VersionSet(const VersionSet& other) : bits_(other.bits_) { copy_words(other); }
  VersionSet(VersionSet&& other) noexcept : bits_(other.bits_) { take(other); }
  VersionSet& operator=(const VersionSet& other);
  VersionSet& operator=(VersionSet&& other) noexcept;
  ~VersionSet() { release(); }

  uint32_t bits() const { return bits_; }
  bool test(uint32_t i) const { return (data()[i / 64] >> (i % 64) & 1) != 0; }
  void insert(uint32_t i) { data()[i / 64] |= uint64_t{1} << (i % 64); }
  void insert_run(uint32_t begin, uint32_t end);
  void erase(uint32_t i) { data()[i / 64] &= ~(uint64_t{1} << (i % 64)); }

  bool empty() const;
  bool is_full() const { return count() == bits_; }
  bool is_single() const;
  uint32_t count() const;
  // Smallest member not below `from`; bits() when there is none.
  uint32_t next(uint32_t from) const;
  // Smallest and largest member of both sets; bits() when there is none.
  uint32_t first_common(const VersionSet& other) const;
  uint32_t last_common(const VersionSet& other) const;

  VersionSet& operator&=(const VersionSet& other);
  VersionSet& operator|=(const VersionSet& other);
  VersionSet& remove(const VersionSet& other);
  VersionSet complement() const;

  bool operator==(const VersionSet& other) const;
  size_t hash() const;
  bool subset_of(const VersionSet& other) const { return compare(other).subset; }
  bool subset_of_union(const VersionSet& a, const VersionSet& b) const;
  bool disjoint(const VersionSet& other) const { return compare(other).disjoint; }
  // Both answers in one pass: propagation asks for nothing else.
  struct Comparison {
    bool subset = true, disjoint = true;
  };
  Comparison compare(const VersionSet& other) const {
    Comparison out;
    const uint64_t* a = data();
    const uint64_t* b = other.data();
    for (uint32_t i = 0; i < words(); ++i) {
      out.subset = out.subset && (a[i] & ~b[i]) == 0;
      out.disjoint = out.disjoint && (a[i] & b[i]) == 0;
      if (!out.subset && !out.disjoint) break;
    }
    return out;
  }

 private:
  static constexpr uint32_t kInlineWords = 2;  // most packages have fewer than 127 versions
  uint32_t words() const { return (bits_ + 63) / 64; }
  bool is_small() const { return words() <= kInlineWords; }
  uint64_t* data() { return is_small() ? words_.small : words_.large; }
  const uint64_t* data() const { return is_small() ? words_.small : words_.large; }
  void copy_words(const VersionSet& other);
  void take(VersionSet& other) {
    words_ = other.words_;
    other.bits_ = 0;
  }
  void release() {
    if (!is_small()) delete[] words_.large;
  }

  uint32_t bits_ = 0;
  union Words {
    uint64_t small[kInlineWords];
    uint64_t* large;
  } words_ = {{0, 0}};
};

}  // namespace dae::resolver
