#include "resolver/solver/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include "base/strings.h"

namespace dae::resolver {

namespace {

constexpr int64_t kThinningSteps = 20'000;  // decisions and conflicts while thinning out: 0.1 s where it is hard
constexpr size_t kMostRuns = 4;
constexpr size_t kMostRangesShown = 3;  // of one package's needs of another

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

std::string requires_nothing_fits(const Universe& universe, const Fact& fact) {
  const PackageInfo& target = universe.base_of(fact.target);
  if (target.candidates.empty()) {
    if (target.note.empty()) return "has no usable version";
    return (target.note.starts_with("no ") ? "has " : "is ") + target.note;
  }
  if (!target.urls.front().empty()) {
    return fmt::format("is version {} by {}", target.candidates.front().version.text(), target.urls.front());
  }
  const std::string newest = target.candidates.front().version.text();
  const std::string oldest = target.candidates.back().version.text();
  return fmt::format("has no version that matches `{}`, only {}", universe.text(fact),
                     newest == oldest ? newest : oldest + " – " + newest);
}

// Steps from the roots to each package, along the facts.
std::map<PackageId, int> depths(const Universe& universe, const std::vector<uint32_t>& facts) {
  std::map<PackageId, int> out;
  for (const uint32_t number : facts) {
    const Fact& f = universe.facts()[number];
    if (f.kind == FactKind::root) out[f.target] = 0;
  }
  for (bool grown = true; grown;) {
    grown = false;
    for (const uint32_t number : facts) {
      const Fact& f = universe.facts()[number];
      if (f.kind != FactKind::dependency || out.count(f.package) == 0) continue;
      grown = out.emplace(f.target, out[f.package] + 1).second || grown;
    }
  }
  return out;
}

// Packages released in lockstep need another range of each other in every version: told in one line.
std::vector<Fact> grouped_dependencies(const Universe& universe, const std::vector<uint32_t>& facts) {
  std::map<std::pair<PackageId, PackageId>, size_t> ranges;
  const auto pair_of = [](const Fact& f) { return std::pair(f.package, f.target); };
  std::vector<const Fact*> dependencies;
  for (const uint32_t number : facts) {
    const Fact& f = universe.facts()[number];
    if (f.kind != FactKind::dependency) continue;
    dependencies.push_back(&f);
    ++ranges[pair_of(f)];
  }
  std::map<PackageId, int> depth = depths(universe, facts);
  const auto depth_of = [&](const Fact* f) { return depth.try_emplace(f->package, INT_MAX).first->second; };
  std::stable_sort(dependencies.begin(), dependencies.end(),
                   [&](const Fact* a, const Fact* b) { return depth_of(a) < depth_of(b); });
  std::vector<Fact> out;
  for (const Fact* f : dependencies) {
    const auto same = [&](const Fact& other) { return pair_of(other) == pair_of(*f); };
    const size_t count = ranges[pair_of(*f)];
    const auto told = std::find_if(out.begin(), out.end(), same);
    if (count <= kMostRangesShown || told == out.end()) {
      out.push_back(*f);
      if (count > kMostRangesShown) out.back().reason = fmt::format(" and so on: {} different ranges", count);
    } else {
      told->versions |= f->versions;
    }
  }
  return out;
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

std::string version_runs(const std::vector<Candidate>& candidates, const VersionSet& versions) {
  struct Run {
    uint32_t newest, oldest;
  };
  const auto count = static_cast<uint32_t>(candidates.size());
  const auto bridged = [&](uint32_t from, uint32_t to) {
    for (uint32_t v = from + 1; v < to; ++v) {
      if (!candidates[v].yanked && !candidates[v].version.is_prerelease()) return false;
    }
    return true;
  };
  std::vector<Run> runs;
  for (uint32_t v = versions.next(0); v < count; v = versions.next(v + 1)) {
    if (!runs.empty() && bridged(runs.back().oldest, v)) {
      runs.back().oldest = v;
    } else {
      runs.push_back({v, v});
    }
  }
  std::vector<std::string> parts;
  for (size_t i = 0; i < runs.size() && i < kMostRuns; ++i) {
    const std::string newest = candidates[runs[i].newest].version.text();
    const std::string oldest = candidates[runs[i].oldest].version.text();
    parts.push_back(newest == oldest ? newest : fmt::format("{} – {}", oldest, newest));
  }
  std::reverse(parts.begin(), parts.end());
  const std::string text = join(parts, ", ");
  return runs.size() > kMostRuns ? fmt::format("{} and {} older runs", text, runs.size() - kMostRuns) : text;
}

NoSolution explain(const SolveRequest& request, const Universe& universe, const std::vector<uint32_t>& facts) {
  NoSolution out;
  const auto say = [&](std::string origin, std::string text) {
    const auto same = [&](const ConflictLine& line) { return line.origin == origin && line.text == text; };
    if (std::any_of(out.lines.begin(), out.lines.end(), same)) return;
    out.lines.push_back({std::move(origin), std::move(text)});
  };
  const auto of_kind = [&](auto wanted, auto tell) {
    for (const uint32_t number : facts) {
      if (wanted(universe.facts()[number])) tell(universe.facts()[number]);
    }
  };
  const auto versions = [&](const Fact& fact) {
    return universe.label(fact.package) + " " + version_runs(universe.base_of(fact.package).candidates, fact.versions);
  };
  of_kind([](const Fact& f) { return f.kind == FactKind::root; },
          [&](const Fact& f) {
            const std::string& name = universe.base_of(f.target).name;
            if (std::find(out.involved_roots.begin(), out.involved_roots.end(), name) == out.involved_roots.end()) {
              out.involved_roots.push_back(name);
            }
            say(universe.active_roots()[f.index]->origin, "needs " + universe.text(f));
          });
  of_kind([](const Fact& f) { return f.kind == FactKind::constraint; },
          [&](const Fact& f) { say(request.constraints[f.index].origin, "allows only " + universe.text(f)); });
  for (const Fact& f : grouped_dependencies(universe, facts)) say(versions(f), "needs " + universe.text(f) + f.reason);
  of_kind([](const Fact& f) { return f.matches_none; },
          [&](const Fact& f) { say(universe.base_of(f.target).name, requires_nothing_fits(universe, f)); });
  of_kind([](const Fact& f) { return f.kind >= FactKind::unusable; },
          [&](const Fact& f) { say(versions(f), universe.text(f)); });
  return out;
}

}  // namespace dae::resolver
