#pragma once
// Version specifiers (PEP 440 "Version specifiers"): == != <= >= < > ~= === with prefix match, locals and zero padding.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resolver/standards/version.h"

namespace dae::resolver {

enum class SpecifierOp { equal, not_equal, less_equal, greater_equal, less, greater, compatible, arbitrary };

struct Specifier {
  SpecifierOp op = SpecifierOp::equal;
  Version version;
  bool prefix = false;  // "==1.1.*"
  std::string raw;      // the version's text as written; for === the whole comparison
  static std::optional<Specifier> try_parse(std::string_view text);  // one, without commas
  std::string text() const;
  // Pre-releases are matched by order alone; whether they are wanted is the caller's policy.
  // `candidate_text` is for === (compares texts, case-insensitively); default: version.text().
  bool contains(const Version& version, std::string_view candidate_text = "") const;
};

class SpecifierSet {
 public:
  SpecifierSet() = default;  // everything
  explicit SpecifierSet(std::vector<Specifier> parts) : parts_(std::move(parts)) {}
  static SpecifierSet parse(std::string_view text);  // throws Error bad_input with the offending part
  static std::optional<SpecifierSet> try_parse(std::string_view text);
  // For requires-python and requirements in the metadata of third parties only: what try_parse() refuses is repaired
  // where only one thing can be meant, as published files have it: ">=3.6.*", "!=3.0*", ">= 2.7 <3", "!=~5.0",
  // ">=2.7'", ">dev", ">=9.0a1.0".
  static std::optional<SpecifierSet> try_parse_legacy(std::string_view text);
  bool contains(const Version& version, std::string_view candidate_text = "") const;
  bool empty() const { return parts_.empty(); }
  bool mentions_prerelease()
      const;  // some part names a pre-release: then they are allowed (PEP 440 "Handling of pre-releases")
  const std::vector<Specifier>& parts() const { return parts_; }
  std::string text() const;  // sorted, ",": "<2,>=1.3"
  SpecifierSet operator&(const SpecifierSet& other) const;

 private:
  std::vector<Specifier> parts_;
};

}  // namespace dae::resolver
