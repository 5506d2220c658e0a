#pragma once
// Which changes may help against a conflict, most promising first.
#include "resolver/solver/suggest_relax.h"
#include "resolver/solver/suggest_trial.h"

namespace dae::resolver {

struct Change {
  Suggestion suggestion;
  World world;   // with the change made
  int rank = 0;  // the least is offered first
};

// Up to `most` changes, each of which leads from `world` to a solution.
std::vector<Change> changes_that_help(Trials& trials, const World& world, const Explanation& conflict, size_t most);

}  // namespace dae::resolver
