#pragma once
// Which candidates a specifier lets through.
#include "resolver/solver/solver.h"
#include "resolver/solver/version_set.h"

namespace dae::resolver {

// `candidates`: the first `sorted` of them newest first, then others in no order. `bits`: of the set that is made.
VersionSet select_range(const std::vector<Candidate>& candidates, size_t sorted, uint32_t bits,
                        const SpecifierSet& specifiers);

}  // namespace dae::resolver
