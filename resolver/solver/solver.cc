#include "resolver/solver/solver.h"

#include <algorithm>

#include "resolver/solver/explain.h"
#include "resolver/solver/pinning.h"
#include "resolver/solver/search.h"
#include "resolver/solver/suggest.h"

namespace dae::resolver {

namespace {

// Final releases alone lead nowhere: the pre-releases that were put off and are part of the contradiction may serve.
// False when there is none.
bool take_up_prereleases(const SolveRequest& request, const Universe& universe, const std::vector<uint32_t>& facts,
                         Remembered& remembered) {
  if (request.prereleases != PrereleaseMode::if_necessary) return false;
  bool any = false;
  for (const uint32_t number : facts) {
    const Fact& fact = universe.facts()[number];
    if (fact.kind != FactKind::prerelease) continue;
    any = remembered.prereleases.insert(universe.base_of(fact.package).name).second || any;
  }
  return any;
}

}  // namespace

std::variant<Resolution, Explanation> answer(const SolveRequest& request, Provider& provider) {
  Remembered remembered;
  RequirementTexts texts(request.target.markers());
  int64_t steps = 0;
  while (true) {
    Engine engine;
    Universe universe(request, provider, texts, engine, remembered);
    Search search(request, provider, engine, universe);
    const SearchEnd end = search.run();
    steps += search.steps();
    if (end == SearchEnd::restart) continue;
    if (end == SearchEnd::no_solution) {
      const std::vector<uint32_t> facts = needed_facts(engine, search.contradiction());
      if (take_up_prereleases(request, universe, facts, remembered)) continue;
      Explanation out = explain(request, provider, universe, facts);
      out.steps = steps;
      return out;
    }
    Pinning pinning(engine, universe);
    Resolution resolution = pinning.run();
    resolution.steps = steps;
    if (const auto pin = pinning.unasked_reference(resolution)) {
      remembered.refused.insert(pin->url);
      std::erase(remembered.urls[pin->name], pin->url);
      continue;
    }
    return resolution;
  }
}

std::variant<Resolution, NoSolution> solve(const SolveRequest& request, Provider& provider) {
  auto outcome = answer(request, provider);
  if (auto* resolution = std::get_if<Resolution>(&outcome)) return std::move(*resolution);
  auto& first = std::get<Explanation>(outcome);
  if (request.suggest) return look_further(request, provider, std::move(first));
  return NoSolution{first.conflict.lines, std::move(first.involved_roots), {first.conflict}, {}};
}

}  // namespace dae::resolver
