#pragma once
// One requirement ("Dependency specifiers", formerly PEP 508): name[extras] specifier ; marker, or name @ url.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resolver/standards/marker.h"
#include "resolver/standards/specifier.h"

namespace dae::resolver {

struct Requirement {
  std::string name;                 // as written
  std::string key;                  // normalised
  std::vector<std::string> extras;  // normalised, sorted, unique
  SpecifierSet specifiers;
  std::string url;  // direct reference, or ""
  Marker marker;
  // Throws Error bad_input: message with the column, subject = the text.
  static Requirement parse(std::string_view text);
  // For the metadata of third parties only: specifiers as SpecifierSet::try_parse_legacy() takes them.
  static std::optional<Requirement> try_parse_legacy(std::string_view text);
  std::string text() const;
};

}  // namespace dae::resolver
