#pragma once
// Packages as the engine's numbers: candidates become ordinals once their list is read, requirements become sets, and
// what the provider tells becomes facts of the engine. `name[extra]` is a package of its own with the same candidates.
//
// A package gets its number when it is first named and its candidates when somebody must choose among them (`advance`):
// so the pages of a whole generation of dependencies are on their way together, and the order of events, hence the
// answer, does not depend on which arrives first.
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "resolver/solver/engine.h"
#include "resolver/solver/facts.h"
#include "resolver/solver/flat_map.h"
#include "resolver/solver/requirement_texts.h"
#include "resolver/solver/solver.h"

namespace dae::resolver {

// What is known before a search begins; a search that finds out more starts again.
struct Remembered {
  // Direct references by normalised name. A package with one named by a root is looked up in no index.
  std::map<std::string, std::vector<std::string>> urls;
  std::set<std::string> from_root;
  std::set<std::string, std::less<>> refused;  // only reachable through a package that is not part of the answer
  // Pre-releases that may be chosen: those in these ranges, because no final release is; or all.
  std::map<std::string, std::set<std::string>> prerelease_ranges;
  std::set<std::string> prereleases;
};

class Universe {
 public:
  Universe(const SolveRequest& request, Provider& provider, RequirementTexts& texts, Engine& engine,
           Remembered& remembered);

  void add_roots();
  // States what this version needs, or that it cannot be used.
  void expand(PackageId p, uint32_t ordinal);
  // Whether a decided version needs a package whose candidates are not known yet.
  bool has_waiting() const;
  // Reads the candidates of all those and states what is needed of them; their numbers.
  std::vector<PackageId> advance();
  // Something was met that should have been known when a package's candidates were read: start again, it is remembered.
  bool must_restart() const { return must_restart_; }

  // What this version (or its extra) requires on the target; only after it was expanded.
  const std::vector<Need>& needs(PackageId p, uint32_t ordinal) const;
  const std::vector<Need>& root_needs(size_t index) const { return root_needs_[index]; }  // of an active root
  const std::vector<const RootRequirement*>& active_roots() const { return active_roots_; }
  bool is_from_user(const std::string& name) const { return remembered_.from_root.contains(name); }  // by its URL
  bool provides(PackageId extra_package, uint32_t ordinal) const;  // whether the version has that extra
  std::optional<PackageId> find(std::string_view name, std::string_view extra = "") const;
  const PackageInfo& info(PackageId p) const { return packages_[p]; }
  PackageInfo& info(PackageId p) { return packages_[p]; }
  const PackageInfo& base_of(PackageId p) const { return packages_[packages_[p].base]; }
  size_t size() const { return packages_.size(); }
  const std::deque<Fact>& facts() const { return facts_; }
  std::string text(const Fact& fact) const;  // the requirement, or the reason
  std::string label(PackageId p) const;      // "name" or "name[extra]"
  // `name[extra]` stays with the versions of `name`: one more fact over the set now allowed.
  void tie_to_base(PackageId extra_package, const VersionSet& allowed);

 private:
  struct Waiting {
    PackageId package;
    uint32_t ordinal;
    Need* need;
  };

  PackageId intern_name(std::string_view name);
  PackageId intern_extra(PackageId base, std::string_view extra);
  // False when the reference comes too late: the package's candidates are already fixed.
  bool know_url(std::string_view name, std::string_view url);
  bool find_target(Need& need);
  std::string_view keep(std::string text);
  // As written, or what the overrides of its package put in its place.
  void append(Need need, std::vector<Need>& out);
  void add_root(size_t index);
  bool is_live(const Waiting& waiting) const { return engine_.decision(waiting.package) == waiting.ordinal; }

  void load(PackageId p);
  void load_candidates(PackageInfo& info);
  void order_candidates(PackageInfo& info) const;
  bool may_use_yanked(const std::string& name, const Version& version) const;
  void state_exclusions(PackageId p);
  void state_prereleases(PackageId p);
  bool needs_prerelease(PackageId p, const Need& need);
  void state_constraint(PackageId p, size_t index);
  IncompatibilityId exclude(PackageId p, const VersionSet& versions, Fact fact);

  VersionNeeds& read(PackageId base, uint32_t ordinal);
  void read_plain(const Dependencies& dependencies, VersionNeeds& out);
  void read_extras(const Dependencies& dependencies, VersionNeeds& out);
  std::vector<Need>& needs_of_extra(VersionNeeds& version, const std::string& extra);
  void state_unusable(PackageId p, uint32_t ordinal, const std::string& reason);
  uint32_t range_of(PackageId base, const Need& need);
  static uint64_t fact_key(PackageId p, PackageId target, uint32_t range);
  uint32_t keep_range(PackageId base, VersionSet set);
  void require(PackageId p, uint32_t ordinal, const Need& need);
  void require_one(PackageId p, uint32_t ordinal, PackageId target, uint32_t range, const Need& need);

  const SolveRequest& request_;
  Provider& provider_;
  RequirementTexts& texts_;
  Engine& engine_;
  Remembered& remembered_;
  std::vector<const RootRequirement*> active_roots_;
  std::vector<std::vector<Need>> root_needs_;
  std::map<std::string, std::vector<size_t>, std::less<>> constraints_;                   // active ones, by name
  std::map<std::string, std::vector<const RootRequirement*>, std::less<>> overrides_;     // of a name: active ones
  std::map<std::string, std::vector<const SpecifierSet*>, std::less<>> user_specifiers_;  // of roots and the like
  std::set<std::string, std::less<>> root_names_;
  std::deque<PackageInfo> packages_;
  TextMap<PackageId> ids_;        // by label
  std::deque<std::string> kept_;  // what views of roots and overrides point to
  std::deque<Fact> facts_;
  FlatMap ranges_by_specifier_, ranges_by_hash_;
  std::vector<std::pair<PackageId, uint32_t>> kept_ranges_;  // what ranges_by_hash_ points to: entries of a package
  FlatMap dependency_facts_;
  std::map<std::pair<PackageId, std::string>, IncompatibilityId> unusable_facts_;
  std::map<PackageId, std::vector<Waiting>> waiting_;  // by the package without candidates, in the order first named
  bool must_restart_ = false;
};

}  // namespace dae::resolver
