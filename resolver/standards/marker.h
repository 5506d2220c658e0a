#pragma once
// Environment markers ("Dependency specifiers" specification, formerly PEP 508), with the lock-file fields
// `extras` and `dependency_groups` of PEP 751.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace dae::resolver {

// Values of the marker variables for one interpreter or declared target.
struct MarkerEnvironment {
  std::map<std::string, std::string, std::less<>> values;  // "python_version" -> "3.11", "sys_platform" -> "linux" …
  std::string_view get(std::string_view name) const;       // "" when unset
};

class Marker {
 public:
  Marker() = default;                          // always true
  static Marker parse(std::string_view text);  // throws Error bad_input with the column
  bool always() const { return !root_; }
  bool evaluate(const MarkerEnvironment& environment, const std::set<std::string>& extras = {},
                const std::set<std::string>& groups = {}) const;
  // True when some outcome depends on `extra`.
  bool mentions_extra() const;
  std::string text() const;  // canonical quoting and spacing
  struct Node;

 private:
  friend struct MarkerParser;
  std::shared_ptr<const Node> root_;
};

}  // namespace dae::resolver
