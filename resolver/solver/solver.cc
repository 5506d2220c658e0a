#include "resolver/solver/solver.h"

#include <algorithm>

#include "base/strings.h"
#include "resolver/solver/explain.h"
#include "resolver/solver/search.h"

namespace dae::resolver {

namespace {

void insert_sorted(std::vector<std::string>& list, const std::string& item) {
  const auto place = std::lower_bound(list.begin(), list.end(), item);
  if (place == list.end() || *place != item) list.insert(place, item);
}

// Walks from the roots, so that a pin is there because something needs it, and says what.
class Pinning {
 public:
  Pinning(const Engine& engine, const Universe& universe) : engine_(engine), universe_(universe) {}

  // A direct reference that was chosen although nothing in the answer names it.
  std::optional<Pin> unasked_reference() const {
    for (const auto& [name, pin] : pins_) {
      if (!pin.url.empty() && asked_.count(pin.url) == 0) return pin;
    }
    return std::nullopt;
  }

  std::vector<Pin> run() {
    for (size_t i = 0; i < universe_.active_roots().size(); ++i) {
      for (const Need& root : universe_.root_needs(i)) need(root, universe_.active_roots()[i]->origin);
    }
    while (!todo_.empty()) {
      const PackageId p = todo_.back();
      todo_.pop_back();
      const std::string& name = universe_.info(p).name;
      for (const Need& wanted : universe_.needs(p, *engine_.decision(universe_.info(p).base))) {
        if (wanted.name == name) {
          need(wanted, "");
          continue;
        }
        insert_sorted(pins_.at(name).dependencies, universe_.info(wanted.target).name);
        need(wanted, name);
      }
    }
    std::vector<Pin> out;
    for (const auto& [name, pin] : pins_) out.push_back(pin);
    return out;
  }

 private:
  void need(const Need& wanted, const std::string& by) {
    const PackageId base = wanted.target;
    const uint32_t ordinal = *engine_.decision(base);
    const PackageInfo& info = universe_.info(base);
    Pin& pin = pins_[info.name];
    pin.name = info.name;
    pin.version = info.candidates[ordinal].version;
    pin.url = info.urls[ordinal];
    if (!wanted.url.empty()) asked_.emplace(wanted.url);
    if (!by.empty()) insert_sorted(pin.required_by, by);
    visit(base);
    for (const std::string& extra : split(wanted.extras, ',')) {
      if (extra.empty()) continue;
      insert_sorted(pin.extras, extra);
      visit(*universe_.find(info.name, extra));
    }
  }

  void visit(PackageId p) {
    if (seen_.insert(p).second) todo_.push_back(p);
  }

  const Engine& engine_;
  const Universe& universe_;
  std::map<std::string, Pin> pins_;
  std::set<std::string> asked_;
  std::set<PackageId> seen_;
  std::vector<PackageId> todo_;
};

}  // namespace

std::variant<Resolution, NoSolution> solve(const SolveRequest& request, Provider& provider) {
  DirectReferences references;
  RequirementTexts texts(request.target.markers());
  int64_t steps = 0;
  while (true) {
    Engine engine;
    Universe universe(request, provider, texts, engine, references);
    Search search(request, provider, engine, universe);
    const SearchEnd end = search.run();
    steps += search.steps();
    if (end == SearchEnd::restart) continue;
    if (end == SearchEnd::no_solution) {
      return explain(request, universe, needed_facts(engine, search.contradiction()));
    }
    Resolution resolution;
    Pinning pinning(engine, universe);
    resolution.pins = pinning.run();
    resolution.steps = steps;
    if (const auto pin = pinning.unasked_reference()) {
      references.refused.insert(pin->url);
      std::erase(references.urls[pin->name], pin->url);
      continue;
    }
    return resolution;
  }
}

}  // namespace dae::resolver
