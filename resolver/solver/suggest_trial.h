#pragma once
// Solving again with something changed, within bounds: of time, of steps, of what may be fetched and built.
#include "resolver/solver/explain.h"

namespace dae::resolver {

// A request as somebody could have written it instead.
struct World {
  SolveRequest request;
  std::set<size_t> without;  // of its roots
  std::optional<int64_t> cutoff_ms;
  bool elsewhere = false;  // another target or cutoff: another provider
};

// The lines that ask for exactly what this one asks for, itself included: in long lists of extras the same pin stands
// many times, and to change one of them alone helps nobody.
std::vector<size_t> twins_of(const std::vector<RootRequirement>& list, size_t index);
// "req.in:3, 14, 15": the places of those lines.
std::string places_of(const std::vector<RootRequirement>& list, const std::vector<size_t>& indices);

class Trials {
 public:
  Trials(const SolveRequest& request, Provider& provider, const Clues& known);

  // What a version is taken for whose metadata would have to be built, or cannot be fetched: what is solved although it
  // is unusable has a solution, and what contradicts although it needs nothing is a contradiction.
  enum class Unread { unusable, needs_nothing };
  // nullopt when it cannot be told within the bounds. Roots of a conflict are numbered as in world.request.
  std::optional<std::variant<Resolution, Explanation>> run(const World& world, Unread unread);
  // Whether there is a solution, and which.
  std::optional<Resolution> works(const World& world);
  bool exhausted() const;

 private:
  class BoundedProvider;
  struct Stop {};
  void spend_lookup();
  void check_time() const;

  const SolveRequest& request_;
  Provider& provider_;
  std::set<std::string> packages_;
  std::set<std::pair<std::string, std::string>> sdists_;
  std::set<std::pair<std::string, std::string>> metadata_;
  const int64_t deadline_ms_;
  int64_t steps_left_, lookups_left_, prefetches_left_, new_sdists_left_;
};

}  // namespace dae::resolver
