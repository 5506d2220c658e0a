// Of all that a contradiction was derived from, what it takes.
#include <algorithm>

#include "resolver/solver/explain.h"

namespace dae::resolver {

namespace {

constexpr int64_t kThinningSteps = 20'000;  // decisions and conflicts while thinning out: 0.1 s where it is hard

std::vector<IncompatibilityId> outside_causes(const Engine& engine, IncompatibilityId contradiction) {
  std::vector<IncompatibilityId> out, todo{contradiction};
  std::set<IncompatibilityId> seen{contradiction};
  while (!todo.empty()) {
    const IncompatibilityId id = todo.back();
    todo.pop_back();
    const Incompatibility& i = engine.incompatibility(id);
    if (i.fact != Incompatibility::kDerived) {
      out.push_back(id);
      continue;
    }
    for (const IncompatibilityId cause : {i.left, i.right}) {
      if (seen.insert(cause).second) todo.push_back(cause);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Whether the facts contradict each other all by themselves. Not known when the steps run out counts as no.
bool contradict(const Engine& source, const std::vector<IncompatibilityId>& facts, int64_t& steps_left) {
  Engine engine;
  std::map<PackageId, PackageId> numbers;
  for (const IncompatibilityId id : facts) {
    std::vector<Term> terms;
    for (const Term& t : source.incompatibility(id).terms) {
      const auto [entry, is_new] = numbers.try_emplace(t.package, static_cast<PackageId>(numbers.size()));
      if (is_new) engine.add_package(source.absent(t.package));
      terms.push_back({entry->second, t.set});
    }
    engine.add(std::move(terms), 0);
  }
  steps_left -= static_cast<int64_t>(facts.size() / 16);  // building an engine costs as much
  int64_t conflicts = 0;
  while (steps_left > 0) {
    if (engine.propagate()) return true;
    steps_left -= 1 + engine.conflicts() - conflicts;
    conflicts = engine.conflicts();
    PackageId p = 0;
    while (p < engine.package_count() && (engine.decision(p) || !engine.required(p))) ++p;
    if (p == engine.package_count()) return false;
    engine.decide(p, engine.allowed(p).next(0));
  }
  return false;
}

}  // namespace

// Newest facts are dropped first, so that what is left is nearest to the roots; whole stretches before single ones.
std::vector<uint32_t> needed_facts(const Engine& engine, IncompatibilityId contradiction) {
  std::vector<IncompatibilityId> core = outside_causes(engine, contradiction);
  int64_t steps_left = kThinningSteps;
  for (size_t width = std::max<size_t>(core.size() / 2, 1); width > 0; width /= 2) {
    for (size_t end = core.size(); end > 0 && steps_left > 0;) {
      const size_t begin = end > width ? end - width : 0;
      std::vector<IncompatibilityId> rest = core;
      rest.erase(rest.begin() + static_cast<ptrdiff_t>(begin), rest.begin() + static_cast<ptrdiff_t>(end));
      if (contradict(engine, rest, steps_left)) core = std::move(rest);
      end = begin;
    }
  }
  std::vector<uint32_t> facts;
  for (const IncompatibilityId id : core) facts.push_back(engine.incompatibility(id).fact);
  std::sort(facts.begin(), facts.end());
  return facts;
}

}  // namespace dae::resolver
