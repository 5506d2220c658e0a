#pragma once
// The policy on top of the engine: which package is decided next, which of its versions is tried first, and what is
// done about two packages that keep clashing.
#include <map>
#include <utility>
#include <vector>

#include "resolver/solver/universe.h"

namespace dae::resolver {

enum class SearchEnd { solved, no_solution, restart };

class Search {
 public:
  Search(const SolveRequest& request, Provider& provider, Engine& engine, Universe& universe)
      : request_(request), provider_(provider), engine_(engine), universe_(universe) {}

  SearchEnd run();
  int64_t steps() const { return decisions_ + engine_.conflicts(); }
  IncompatibilityId contradiction() const { return contradiction_; }  // after no_solution

 private:
  // uv's order: forced ones first, then what clashed often, then as first seen (breadth first), then what kept
  // standing in the way.
  enum class Urgency : uint8_t { forced, early, normal, late };

  std::optional<PackageId> next_package() const;
  uint32_t best_version(PackageId base) const;
  // False when a fact had to be stated first.
  bool decide(PackageId p);
  bool decide_extra(PackageId p);
  void take(PackageId p, uint32_t ordinal);
  void prefetch_more(PackageId p);
  void note_clash(PackageId later, PackageId earlier);
  void note_clashes();
  [[noreturn]] void give_up() const;

  const SolveRequest& request_;
  Provider& provider_;
  Engine& engine_;
  Universe& universe_;
  std::vector<Urgency> urgency_;  // by package
  std::vector<int> hindered_, hindering_;
  std::map<std::pair<PackageId, PackageId>, int64_t> pairs_;
  int64_t decisions_ = 0;
  IncompatibilityId contradiction_ = 0;
};

}  // namespace dae::resolver
