#pragma once
// The texts of dependencies, each distinct one read once: 20,000 lines of metadata hold a few hundred markers and a few
// thousand specifiers. References stay valid as long as the object.
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "resolver/standards/marker.h"
#include "resolver/standards/specifier.h"

namespace dae::resolver {

// Lets a map of strings be asked with a view.
struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
template <typename Value>
using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

struct MarkerReading {
  Marker marker;
  std::string error;                // why it could not be read, or ""
  bool holds = false;               // without any extra
  bool any_extra = false;           // `extras` does not tell all: evaluate for each extra
  std::vector<std::string> extras;  // with these it holds and without it does not; normalised
};

struct SpecifierReading {
  SpecifierSet set;
  std::string error;
  uint32_t id = 0;
};

class RequirementTexts {
 public:
  explicit RequirementTexts(MarkerEnvironment environment) : environment_(std::move(environment)) {}

  const MarkerReading& marker(std::string_view text);
  const SpecifierReading& specifier(std::string_view text);
  const MarkerEnvironment& environment() const { return environment_; }
  // Whether the requirement is one of the extra's and not of the package itself.
  bool holds_with(const MarkerReading& marker, const std::string& extra) const;

 private:
  const MarkerEnvironment environment_;
  TextMap<MarkerReading> markers_;
  TextMap<SpecifierReading> specifiers_;
};

}  // namespace dae::resolver
