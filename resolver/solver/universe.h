#pragma once
// Packages as the engine's numbers: candidates become ordinals once their list is read, requirements become sets, and
// what the provider tells becomes facts of the engine. `name[extra]` is a package of its own with the same candidates.
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "resolver/solver/engine.h"
#include "resolver/solver/solver.h"

namespace dae::resolver {

// Direct references seen so far, by normalised name. A package with one named by a root is looked up in no index.
struct DirectReferences {
  std::map<std::string, std::vector<std::string>> urls;
  std::set<std::string> from_root;
  std::set<std::string> refused;  // were only reachable through a package that is not part of the answer
};

enum class FactKind { root, constraint, dependency, same_version, unusable, yanked, prerelease };

// An outside truth, in words; the engine holds its logic under the fact's number.
struct Fact {
  FactKind kind = FactKind::root;
  PackageId package = 0;      // whose versions it is about (not for roots)
  VersionSet versions;        // of `package`
  std::string text;           // the requirement or the reason
  PackageId target = 0;       // root, dependency: what is needed
  bool matches_none = false;  // no candidate of `target` fits
  size_t index = 0;           // of the root or constraint in the request
};

struct PackageInfo {
  std::string name;   // normalised
  std::string extra;  // "" for the package itself
  PackageId base = 0;
  std::vector<Candidate> candidates;  // of the base only; newest first, direct references last
  std::vector<std::string> urls;      // beside candidates; "" = from an index
  std::vector<uint32_t> order;        // ordinals in the order they are tried
  std::string note;
  VersionSet expanded;
  uint32_t tried = 0;
};

class Universe {
 public:
  Universe(const SolveRequest& request, Provider& provider, Engine& engine, DirectReferences& references);

  void add_roots();
  // States what this version needs, or that it cannot be used.
  void expand(PackageId p, uint32_t ordinal);
  // A direct reference was met for a package whose candidates are already fixed: start again, it is remembered.
  bool must_restart() const { return must_restart_; }

  // What this version (or its extra) requires on the target.
  std::vector<Requirement> requirements(PackageId p, uint32_t ordinal) const;
  const std::vector<const RootRequirement*>& active_roots() const { return active_roots_; }
  std::optional<PackageId> find(const std::string& name, const std::string& extra = "") const;
  const PackageInfo& info(PackageId p) const { return packages_[p]; }
  PackageInfo& info(PackageId p) { return packages_[p]; }
  const PackageInfo& base_of(PackageId p) const { return packages_[packages_[p].base]; }
  size_t size() const { return packages_.size(); }
  const std::vector<Fact>& facts() const { return facts_; }
  std::string label(PackageId p) const;  // "name" or "name[extra]"
  // `name[extra]` stays with the versions of `name`: one more fact over the set now allowed.
  void tie_to_base(PackageId extra_package, const VersionSet& allowed);

 private:
  std::optional<PackageId> intern(const Requirement& requirement);
  PackageId intern_name(const std::string& name);
  PackageId intern_extra(PackageId base, const std::string& extra);
  void load_candidates(PackageInfo& info);
  void order_candidates(PackageInfo& info) const;
  void state_exclusions(PackageId p);
  IncompatibilityId exclude(PackageId p, const VersionSet& versions, FactKind kind, const std::string& text,
                            size_t index = 0);
  bool may_use_yanked(const std::string& name, const Version& version) const;
  VersionSet matching(PackageId base, const Requirement& requirement) const;
  void require(PackageId p, uint32_t ordinal, const Requirement& requirement);
  void require_one(PackageId p, uint32_t ordinal, PackageId target, const VersionSet& set, const std::string& text);
  void add_root(size_t index);

  const SolveRequest& request_;
  Provider& provider_;
  Engine& engine_;
  DirectReferences& references_;
  MarkerEnvironment environment_;
  std::vector<const RootRequirement*> active_roots_;
  std::map<std::string, std::vector<size_t>> constraints_;  // active ones, by name
  std::map<std::string, std::vector<const SpecifierSet*>> root_specifiers_;
  std::vector<PackageInfo> packages_;
  std::map<std::string, PackageId, std::less<>> ids_;  // by label
  std::vector<Fact> facts_;
  std::map<std::tuple<PackageId, PackageId, std::string>, IncompatibilityId> dependency_facts_;
  std::map<std::pair<PackageId, std::string>, IncompatibilityId> unusable_facts_;
  bool must_restart_ = false;
};

// The requirement without its marker: "flask[async]>=3.1".
std::string requirement_label(const Requirement& requirement);

}  // namespace dae::resolver
