#pragma once
// What else contradicts, and what would help: each change that is offered was solved again.
#include "resolver/solver/explain.h"

namespace dae::resolver {

// `first`: the conflict that ended the search.
NoSolution look_further(const SolveRequest& request, Provider& provider, Explanation first);

}  // namespace dae::resolver
