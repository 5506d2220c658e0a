#include "resolver/solver/suggest.h"

#include <algorithm>

#include "resolver/solver/suggest_changes.h"

namespace dae::resolver {

namespace {

constexpr size_t kMostConflicts = 5;
constexpr int kMostSkipped = 20;
constexpr size_t kMostShown = 3;  // changes, where one is enough

// Other lines that ask for just the same are part of the conflict, too.
void add_twins(const SolveRequest& request, Conflict& conflict) {
  std::set<size_t> roots;
  std::set<size_t> done;
  for (const size_t root : conflict.roots) {
    if (done.contains(root)) continue;
    const std::vector<size_t> twins = twins_of(request.roots, root);
    done.insert(twins.begin(), twins.end());
    roots.insert(twins.begin(), twins.end());
    const std::string needs = "needs ";
    for (ConflictLine& line : conflict.lines) {
      if (line.origin != request.roots[root].origin || !line.text.starts_with(needs)) continue;
      line.origin = places_of(request.roots, twins);
      break;
    }
  }
  conflict.roots.assign(roots.begin(), roots.end());
}

// Conflicts that share no root requirement, shortest first. True when there are no more.
bool find_independent(Trials& trials, const SolveRequest& request, std::vector<Explanation>& conflicts) {
  World world{request, {}, {}};
  add_twins(request, conflicts.back().conflict);
  std::vector<size_t> roots = conflicts.back().conflict.roots;
  bool complete = true;
  for (int skipped = 0; skipped <= kMostSkipped && !roots.empty();) {
    world.without.insert(roots.begin(), roots.end());
    auto outcome = trials.run(world, Trials::Unread::needs_nothing);
    auto* next = outcome ? std::get_if<Explanation>(&*outcome) : nullptr;
    if (next == nullptr || conflicts.size() == kMostConflicts) {
      complete = complete && outcome && next == nullptr;
      roots.clear();
      break;
    }
    add_twins(request, next->conflict);
    roots = next->conflict.roots;
    complete = complete && !next->clues.unseen && !roots.empty();
    if (next->clues.unseen) {
      ++skipped;  // what could not be looked at is no news; the rest may have some
    } else {
      conflicts.push_back(std::move(*next));
    }
  }
  std::stable_sort(conflicts.begin(), conflicts.end(), [](const Explanation& a, const Explanation& b) {
    return a.conflict.lines.size() < b.conflict.lines.size();
  });
  return complete && roots.empty();
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
