#pragma once
// How a specifier can be widened until it lets a version in.
#include <vector>

#include "resolver/standards/specifier.h"

namespace dae::resolver {

enum class Widening { raises_upper_bound, lowers_lower_bound, moves_pin };

struct Relaxation {
  Widening widening = Widening::raises_upper_bound;
  // Nearest to `old` first; only the last is known to let the version in. Empty when `old` does already.
  std::vector<SpecifierSet> options;
};
Relaxation relax(const SpecifierSet& old, const Version& wanted);

// What else a pin ("==2.31.0") may stand for first: the other versions of that major version. Empty set: not a pin.
SpecifierSet around_pin(const SpecifierSet& specifiers);

}  // namespace dae::resolver
