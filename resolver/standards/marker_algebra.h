#pragma once
// Algebra of markers: what holds together, apart, always, and the shortest text for it.
//
// Sets of environments are kept as decision diagrams over the marker variables, so that equal sets are one object.
// Taken as given about environments, and about nothing else: `python_full_version` and `implementation_version` are
// versions and no post-releases; `python_version` is the first two numbers of `python_full_version`. Comparisons whose
// outcome no such set can tell (`"x" in platform_version`, `platform_release >= "5"`) are taken as independent of all
// others: then an answer may be a weaker one (`disjoint` is false though no environment fits both), never a wrong one.
// Bounded: what would grow beyond kMaxNodes or take more than kMaxSteps is given up, which has the same effect.
#include <cstdint>
#include <memory>
#include <optional>

#include "resolver/standards/marker.h"
#include "resolver/standards/specifier.h"

namespace dae::resolver {

// For one question. All of them may be slow on hostile markers, up to some ten milliseconds.
Marker conjunction(const Marker& a, const Marker& b);  // as written, nothing simplified
Marker disjunction(const Marker& a, const Marker& b);
std::optional<Marker> negation(const Marker& marker);  // nullopt: too complex, or no marker says it
bool are_disjoint(const Marker& a, const Marker& b);   // true: surely
bool implies(const Marker& a, const Marker& b);        // true: surely
bool are_equivalent(const Marker& a, const Marker& b);
// A short marker that agrees with `marker` wherever `assumption` holds: `python_version >= "3.8" and os_name == "nt"`
// becomes `os_name == "nt"` under a requires-python of >=3.9. What never holds becomes kNever; what cannot be
// simplified is returned as it is.
Marker simplify(const Marker& marker, const Marker& assumption = {});
Marker simplify(const Marker& marker, const SpecifierSet& requires_python);
// "python_full_version" against each part; nullopt for a part that no quotes fit around.
std::optional<Marker> requires_python_marker(const SpecifierSet& requires_python);

inline constexpr const char* kNeverMarker = "python_version < \"0\"";

// For many questions about the same markers. Sets belong to the algebra that made them. Not for several threads.
class MarkerAlgebra {
 public:
  static constexpr size_t kMaxNodes = 20'000, kMaxSteps = 100'000, kMaxVariables = 200;
  struct Set {
    uint32_t id = 1;
  };

  MarkerAlgebra();
  ~MarkerAlgebra();
  MarkerAlgebra(MarkerAlgebra&&) noexcept;
  MarkerAlgebra& operator=(MarkerAlgebra&&) noexcept;

  static Set everything() { return {1}; }
  static Set nothing() { return {0}; }
  Set of(const Marker& marker);
  Set of(const SpecifierSet& requires_python);
  Set both(Set a, Set b);
  Set either(Set a, Set b);
  Set negate(Set set);
  static bool is_known(Set set) { return set.id != 2; }  // false: it was too complex, and so is all that is made of it

  bool disjoint(Set a, Set b);
  bool implies(Set a, Set b);
  bool equivalent(Set a, Set b);
  // The shortest text found for a marker that agrees with `set` wherever `assumption` holds; canonical: equal sets give
  // equal texts. nullopt: too complex, or no marker says it.
  std::optional<Marker> marker(Set set, Set assumption = everything());

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dae::resolver
