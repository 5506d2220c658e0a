#pragma once
// The logic of PubGrub without any packaging in it: packages are numbers, versions are ordinals, and what is known is a
// list of incompatibilities, sets of terms that must never all hold. Unit propagation, conflict resolution by resolving
// causes, and backjumping. No I/O, no policy: who is decided next and with which version is the caller's business.
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "resolver/solver/version_set.h"

namespace dae::resolver {

using PackageId = uint32_t;
using IncompatibilityId = uint32_t;

struct Term {
  PackageId package = 0;
  VersionSet set;
};

struct Incompatibility {
  static constexpr uint32_t kDerived = UINT32_MAX;
  std::vector<Term> terms;   // sorted by package, no term that always holds
  uint32_t fact = kDerived;  // the caller's number of the outside truth it states, or derived from:
  IncompatibilityId left = 0, right = 0;
  const Term* term(PackageId package) const;
};

class Engine {
 public:
  PackageId add_package(uint32_t candidates);
  // For a package added before its candidates were known; nothing may have been said about it yet.
  void set_candidates(PackageId p, uint32_t candidates) { packages_[p].full = VersionSet::full(candidates + 1); }
  size_t package_count() const { return packages_.size(); }
  uint32_t bits(PackageId p) const { return packages_[p].full.bits(); }  // candidates + 1
  uint32_t absent(PackageId p) const { return bits(p) - 1; }

  // Facts never go away. Terms of one package are intersected; a term that always holds is dropped.
  IncompatibilityId add(std::vector<Term> terms, uint32_t fact);
  // Widens the term of `p` in a fact that holds for one more version.
  void widen(IncompatibilityId id, PackageId p, uint32_t ordinal);
  // A fact about a version of `decided` that was stated after the decision for it: conclusions from it are drawn on a
  // level above and would be lost by a jump back that leaves the decision standing.
  void mark_late(IncompatibilityId id, PackageId decided);
  const Incompatibility& incompatibility(IncompatibilityId id) const { return incompatibilities_[id]; }

  // Draws all conclusions. nullopt: consistent so far. Else the incompatibility without terms: there is no solution.
  std::optional<IncompatibilityId> propagate();
  void decide(PackageId p, uint32_t ordinal);

  const VersionSet& allowed(PackageId p) const;
  bool required(PackageId p) const { return !allowed(p).test(absent(p)); }
  std::optional<uint32_t> decision(PackageId p) const { return packages_[p].decision; }
  // A known incompatibility that would hold at once if `p` were decided so.
  std::optional<IncompatibilityId> clash(PackageId p, uint32_t ordinal) const;
  // The decided package of the level at which `p` left `set`.
  std::optional<PackageId> blame(PackageId p, const VersionSet& set) const;
  // The package that needs `p` by a fact about the two, as things stand.
  std::optional<PackageId> dependent(PackageId p) const;
  uint32_t decision_level(PackageId p) const;  // from 1; 0: not decided
  void undo_decision(PackageId p);             // and everything after it
  void look_again(IncompatibilityId id) { fresh_.push_back(id); }
  // Packages whose state may be another than at the last call, each once, in no particular order.
  const std::vector<PackageId>& changed() const { return changed_; }
  void forget_changed();

  // What conflict resolution came by: the package whose assignment completed the conflict, and the others in it.
  struct Clash {
    PackageId affected;
    std::vector<PackageId> others;
    // The decisions that do not go together: filled in for the last of the steps that lead to a jump back.
    std::optional<std::pair<PackageId, PackageId>> decisions = {};  // later, earlier
  };
  std::vector<Clash> take_clashes() { return std::exchange(clashes_, {}); }  // since the last call
  int64_t conflicts() const { return conflicts_; }

 private:
  struct Assignment {
    PackageId package;
    uint32_t level;
    bool is_decision;
    IncompatibilityId cause;
    VersionSet allowed;  // all that is known of the package up to here
  };
  struct Package {
    VersionSet full;
    std::vector<uint32_t> history;  // indices into trail_, ascending
    std::vector<IncompatibilityId> mentioned_in;
    std::optional<uint32_t> decision;
    bool queued = false;
    bool changed = false;
  };
  enum class Relation { satisfied, almost, contradicted, open };

  Relation relation(IncompatibilityId id, PackageId* open_package) const;
  void touch(PackageId p);  // look again at all that mentions it
  void note_change(PackageId p);
  bool check(IncompatibilityId id);  // false when a conflict was resolved: the state is another now
  IncompatibilityId store(Incompatibility incompatibility, bool in_use);
  void assign(PackageId p, VersionSet allowed, IncompatibilityId cause, bool is_decision);
  void derive(PackageId p, IncompatibilityId cause);
  void scan(PackageId p);
  uint32_t satisfier(const Term& term) const;
  uint32_t earlier_level(const Incompatibility& conflict, uint32_t satisfier) const;
  void resolve_conflict(IncompatibilityId id);
  std::vector<Term> resolve(const Incompatibility& a, const Incompatibility& b, PackageId pivot) const;
  Clash& note_clash(const Incompatibility& conflict, PackageId affected);
  void backtrack(uint32_t level);
  void mark_contradicted(IncompatibilityId id);

  std::vector<Package> packages_;
  std::vector<Incompatibility> incompatibilities_;
  std::vector<Assignment> trail_;
  std::vector<PackageId> decided_;  // by level - 1
  std::vector<uint8_t> contradicted_;
  std::vector<std::pair<IncompatibilityId, uint32_t>> contradicted_trail_;  // with the level it became so
  struct Late {
    IncompatibilityId id;
    PackageId decided;
    uint32_t level;  // up to which its conclusions stand
  };
  std::vector<Late> late_;  // levels never descend
  std::vector<PackageId> queue_;
  // To be looked at by themselves: a new or widened fact is no reason to look at all that mentions its packages.
  std::vector<IncompatibilityId> fresh_;
  std::vector<PackageId> changed_;
  std::optional<IncompatibilityId> contradiction_;
  std::vector<Clash> clashes_;
  int64_t conflicts_ = 0;
};

}  // namespace dae::resolver
