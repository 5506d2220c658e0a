#pragma once
// The policy on top of the engine: which package is decided next, which of its versions is tried first, what is fetched
// ahead, and what is done about packages that keep clashing.
#include <map>
#include <utility>
#include <vector>

#include "resolver/solver/decision_queue.h"
#include "resolver/solver/universe.h"

namespace dae::resolver {

enum class SearchEnd { solved, no_solution, restart };

class Search {
 public:
  Search(const SolveRequest& request, Provider& provider, Engine& engine, Universe& universe)
      : request_(request), provider_(provider), engine_(engine), universe_(universe), queue_(engine, universe) {}

  SearchEnd run();
  int64_t steps() const { return decisions_ + engine_.conflicts(); }
  IncompatibilityId contradiction() const { return contradiction_; }  // after no_solution

 private:
  struct Trouble {
    int hindered = 0, hindering = 0;
    bool swapped = false;             // for the sake of an sdist
    std::vector<PackageId> culprits;  // of its last clash
  };

  // False when a contradiction was found.
  bool propagate();
  void decide(PackageId p);
  void decide_extra(PackageId p);
  void take(PackageId p, uint32_t ordinal);
  uint32_t best_version(PackageId base) const;
  bool swap_before_sdist(PackageId base, uint32_t ordinal);
  void guard_sdists(PackageId base, uint32_t ordinal);

  void prefetch_likely(const std::vector<PackageId>& packages);
  void prefetch_more(PackageId p, uint32_t ordinal);

  Trouble& trouble(PackageId base);
  void note_clash(PackageId affected, const std::vector<PackageId>& others);
  void note_pair(PackageId later, PackageId earlier);
  bool swap_order();  // whether decisions were undone
  void hasten(PackageId base);
  void reorder(PackageId base, const std::vector<PackageId>& culprits);
  bool hasten_way_to(PackageId base, uint32_t level);  // of what was decided above the level
  bool make_late(PackageId base);
  [[noreturn]] void give_up(PackageId walked, const std::string& message, const std::string& cause) const;
  [[noreturn]] void run_out_of_steps() const;

  const SolveRequest& request_;
  Provider& provider_;
  Engine& engine_;
  Universe& universe_;
  DecisionQueue queue_;
  std::vector<Trouble> troubles_;                   // by base
  std::vector<PackageId> to_hasten_, to_postpone_;  // bases that passed the threshold
  std::vector<PackageId> hastened_;
  std::map<std::pair<PackageId, PackageId>, int64_t> pairs_;  // (hindered, hindering) bases
  std::vector<PackageId> fresh_;                              // candidates just read
  PackageId deciding_ = 0;
  int64_t decisions_ = 0;
  IncompatibilityId contradiction_ = 0;
};

}  // namespace dae::resolver
