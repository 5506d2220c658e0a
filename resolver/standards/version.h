#pragma once
// Versions (PEP 440, "Version specifiers" specification). Compare with <=>; equal versions may have different texts
// ("1.0" == "1.0.0"). Common shapes are held in one 64-bit key, so that order is one integer comparison.
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace dae::resolver {

class Version {
 public:
  Version();  // "0"
  static std::optional<Version> try_parse(std::string_view text);
  static Version parse(std::string_view text);  // throws Error bad_input

  std::string text() const;       // normalised: "1.0rc1.post2.dev3+local.1"
  std::string base_text() const;  // epoch and release only
  uint64_t epoch() const;
  std::vector<uint64_t> release() const;          // as written: 1.0 -> {1, 0}
  size_t release_size() const;                    // without allocating
  uint64_t release_at(size_t index) const;        // 0 beyond the end: versions are zero padded for comparison
  bool same_release(const Version& other) const;  // epoch and zero padded release agree
  bool is_prerelease() const;                     // pre or dev
  bool is_postrelease() const;
  bool is_dev() const;
  bool is_local() const;
  Version without_local() const;
  // pre-release part: 'a', 'b', 'r' (rc) with its number
  std::optional<std::pair<char, uint64_t>> pre() const;
  std::optional<uint64_t> post() const;
  std::optional<uint64_t> dev() const;
  using LocalSegment = std::variant<uint64_t, std::string>;
  const std::vector<LocalSegment>& local() const;

  std::strong_ordering operator<=>(const Version& other) const;
  bool operator==(const Version& other) const { return (*this <=> other) == 0; }
  std::strong_ordering compare_public(const Version& other) const;  // local labels of both left aside
  size_t hash() const;                                              // equal versions hash alike

  // The 64-bit form of common shapes, as caches store it: 0 when this version has none. A number that no version has
  // is refused. Its layout (version_parts.h) is part of the format of those caches.
  uint64_t small_key() const { return key_; }
  static std::optional<Version> from_small_key(uint64_t key);

 private:
  struct Parts;
  struct View;
  View view() const;
  static Version from_parts(Parts parts);
  friend struct VersionScanner;
  uint64_t key_ = 0;  // non-zero: small form; see version_parts.h
  std::shared_ptr<const Parts> parts_;
};

}  // namespace dae::resolver
