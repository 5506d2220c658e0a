#pragma once
// Why there is no solution, in as few lines as possible.
#include "resolver/solver/universe.h"

namespace dae::resolver {

// The facts a contradiction was derived from, thinned out until each of them is needed. Ascending.
std::vector<uint32_t> needed_facts(const Engine& engine, IncompatibilityId contradiction);

NoSolution explain(const SolveRequest& request, const Universe& universe, const std::vector<uint32_t>& facts);

// "1.0 – 1.4, 2.1": neighbours among the candidates; pre-releases and yanked ones in between do not split a run.
std::string version_runs(const std::vector<Candidate>& candidates, const VersionSet& versions);

}  // namespace dae::resolver
