#include "resolver/solver/suggest.h"

#include <algorithm>

#include "resolver/solver/suggest_changes.h"

namespace dae::resolver {

namespace {

constexpr size_t kMostConflicts = 5;
constexpr size_t kMostShown = 3;  // changes, where one is enough

// Conflicts that share no root requirement, shortest first. True when there are no more.
bool find_independent(Trials& trials, const SolveRequest& request, std::vector<Explanation>& conflicts) {
  World world{request, {}, {}};
  bool complete = false;
  while (!complete) {
    const auto& roots = conflicts.back().conflict.roots;
    if (roots.empty()) break;
    world.without.insert(roots.begin(), roots.end());
    auto outcome = trials.run(world);
    if (!outcome) break;
    if (auto* next = std::get_if<Explanation>(&*outcome)) {
      if (conflicts.size() == kMostConflicts) break;
      conflicts.push_back(std::move(*next));
    } else {
      complete = true;
    }
  }
  std::stable_sort(conflicts.begin(), conflicts.end(), [](const Explanation& a, const Explanation& b) {
    return a.conflict.lines.size() < b.conflict.lines.size();
  });
  return complete;
}

// The roots of one conflict after the other are let in again, changed so that there is a solution still.
void find_changes(Trials& trials, const SolveRequest& request, const std::vector<Explanation>& conflicts,
                  NoSolution& out) {
  World world{request, {}, {}};
  for (const Explanation& conflict : conflicts) {
    world.without.insert(conflict.conflict.roots.begin(), conflict.conflict.roots.end());
  }
  for (const Explanation& conflict : conflicts) {
    for (const size_t root : conflict.conflict.roots) world.without.erase(root);
    std::vector<Change> found = changes_that_help(trials, world, conflict, conflicts.size() == 1 ? kMostShown : 1);
    if (found.empty()) {
      out.suggestions.clear();
      return;
    }
    for (const Change& change : found) out.suggestions.push_back(change.suggestion);
    world = std::move(found.front().world);
  }
  out.together = conflicts.size() > 1;
}

}  // namespace

NoSolution look_further(const SolveRequest& request, Provider& provider, Explanation first) {
  NoSolution out;
  Trials trials(request, provider, first.clues);
  std::vector<Explanation> conflicts;
  conflicts.push_back(std::move(first));
  const bool complete = find_independent(trials, request, conflicts);
  for (const Explanation& one : conflicts) {
    out.conflicts.push_back(one.conflict);
    for (const std::string& name : one.involved_roots) {
      const auto& known = out.involved_roots;
      if (std::find(known.begin(), known.end(), name) == known.end()) out.involved_roots.push_back(name);
    }
  }
  out.lines = out.conflicts.front().lines;
  if (complete) find_changes(trials, request, conflicts, out);
  return out;
}

}  // namespace dae::resolver
