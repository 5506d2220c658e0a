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

  std::string text() const;        // normalised: "1.0rc1.post2.dev3+local.1"
  std::string base_text() const;   // epoch and release only
  uint64_t epoch() const;
  const std::vector<uint64_t>& release() const;
  bool is_prerelease() const;   // pre or dev
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
  size_t hash() const;  // equal versions hash alike

 private:
  struct Parts;
  uint64_t key_ = 0;  // non-zero: small form
  std::shared_ptr<const Parts> parts_;
};

}  // namespace dae::resolver
