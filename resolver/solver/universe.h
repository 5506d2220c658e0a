#pragma once
// Packages as the engine's numbers: candidates become ordinals once their list is read, requirements become sets, and
// what the provider tells becomes facts of the engine. `name[extra]` is a package of its own with the same candidates.
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "resolver/solver/engine.h"
#include "resolver/solver/requirement_texts.h"
#include "resolver/solver/solver.h"

namespace dae::resolver {

// Direct references seen so far, by normalised name. A package with one named by a root is looked up in no index.
struct DirectReferences {
  std::map<std::string, std::vector<std::string>> urls;
  std::set<std::string> from_root;
  std::set<std::string, std::less<>> refused;  // were only reachable through a package that is not part of the answer
};

enum class FactKind { root, constraint, dependency, same_version, unusable, yanked, prerelease };

inline constexpr PackageId kNoPackage = UINT32_MAX;

// One requirement of a version. The views point into what the provider keeps.
struct Need {
  std::string_view name, extras, url;
  const SpecifierReading* specifier = nullptr;
  const RootRequirement* override = nullptr;  // what stands in place of the requirement as written, or null
  PackageId target = kNoPackage;              // the package itself, whatever the extras; known once it is stated
};

// An outside truth; the engine holds its logic under the fact's number. Universe::text puts it into words.
struct Fact {
  FactKind kind = FactKind::root;
  PackageId package = 0;      // whose versions it is about (not for roots)
  VersionSet versions;        // of `package`
  std::string reason;         // unusable, yanked, prerelease
  Need need;                  // root, constraint, dependency
  PackageId target = 0;       // root, dependency: what is needed
  bool matches_none = false;  // no candidate of `target` fits
  size_t index = 0;           // of the root (among the active ones) or of the constraint in the request
};

// What one version needs, sorted by who asks for it.
struct VersionNeeds {
  std::string unusable;
  const Dependencies* source = nullptr;
  bool has_extras = false;  // `by_extra` was filled in: only when somebody asks for an extra
  std::vector<Need> plain;
  std::map<std::string, std::vector<Need>, std::less<>> by_extra;  // beside the plain ones
  std::vector<std::pair<Need, const MarkerReading*>> uncertain;    // to be evaluated for each extra
};

// The sets that requirements cut out of a package's candidates, each kept once, with what they leave out.
struct RangeSets {
  struct Entry {
    VersionSet inside, outside;
  };
  std::vector<Entry> entries;
  std::unordered_multimap<size_t, uint32_t> by_hash;
  std::unordered_map<uint32_t, uint32_t> by_specifier;  // SpecifierReading::id
};

struct PackageInfo {
  std::string name;   // normalised
  std::string extra;  // "" for the package itself
  PackageId base = 0;
  std::vector<Candidate> candidates;  // of the base only; newest first, direct references last
  size_t from_index = 0;              // so many candidates come from an index, the rest are direct references
  std::vector<std::string> urls;      // beside candidates; "" = from an index
  std::vector<uint32_t> order;        // ordinals in the order they are tried
  std::string note;
  std::vector<std::unique_ptr<VersionNeeds>> needs;  // of the base only, by ordinal
  RangeSets ranges;                                  // of the base only
  VersionSet expanded;
  uint32_t tried = 0;
};

class Universe {
 public:
  Universe(const SolveRequest& request, Provider& provider, RequirementTexts& texts, Engine& engine,
           DirectReferences& references);

  void add_roots();
  // States what this version needs, or that it cannot be used.
  void expand(PackageId p, uint32_t ordinal);
  // A direct reference was met for a package whose candidates are already fixed: start again, it is remembered.
  bool must_restart() const { return must_restart_; }

  // What this version (or its extra) requires on the target; only after it was expanded.
  const std::vector<Need>& needs(PackageId p, uint32_t ordinal) const;
  // Of an active root.
  const std::vector<Need>& root_needs(size_t index) const { return root_needs_[index]; }
  const std::vector<const RootRequirement*>& active_roots() const { return active_roots_; }
  std::optional<PackageId> find(const std::string& name, const std::string& extra = "") const;
  const PackageInfo& info(PackageId p) const { return packages_[p]; }
  PackageInfo& info(PackageId p) { return packages_[p]; }
  const PackageInfo& base_of(PackageId p) const { return packages_[packages_[p].base]; }
  size_t size() const { return packages_.size(); }
  const std::vector<Fact>& facts() const { return facts_; }
  std::string text(const Fact& fact) const;  // the requirement, or the reason
  std::string label(PackageId p) const;      // "name" or "name[extra]"
  // `name[extra]` stays with the versions of `name`: one more fact over the set now allowed.
  void tie_to_base(PackageId extra_package, const VersionSet& allowed);

 private:
  PackageId intern_name(std::string_view name);
  PackageId intern_extra(PackageId base, std::string_view extra);
  // False when the reference comes too late: the package's candidates are already fixed.
  bool know_url(std::string_view name, std::string_view url);
  void load_candidates(PackageInfo& info);
  void order_candidates(PackageInfo& info) const;
  void state_exclusions(PackageId p);
  IncompatibilityId exclude(PackageId p, const VersionSet& versions, Fact fact);
  bool may_use_yanked(const std::string& name, const Version& version) const;

  VersionNeeds& read(PackageId base, uint32_t ordinal);
  void read_plain(const Dependencies& dependencies, VersionNeeds& out);
  void read_extras(const Dependencies& dependencies, VersionNeeds& out);
  void append(Need need, std::vector<Need>& out);
  std::string_view keep(std::string text);
  uint32_t range_of(PackageId base, const Need& need);
  uint32_t keep_range(PackageId base, VersionSet set);
  bool find_target(Need& need);
  void state_unusable(PackageId p, uint32_t ordinal, const std::string& reason);
  void require(PackageId p, uint32_t ordinal, Need& need);
  void require_one(PackageId p, uint32_t ordinal, PackageId target, uint32_t range, const Need& need);
  void add_root(size_t index);

  struct FactKey {
    PackageId package, target;
    uint32_t range;
    bool operator==(const FactKey&) const = default;
  };
  struct FactKeyHash {
    size_t operator()(const FactKey& key) const;
  };

  const SolveRequest& request_;
  Provider& provider_;
  RequirementTexts& texts_;
  Engine& engine_;
  DirectReferences& references_;
  std::vector<const RootRequirement*> active_roots_;
  std::vector<std::vector<Need>> root_needs_;
  std::map<std::string, std::vector<size_t>, std::less<>> constraints_;                // active ones, by name
  std::map<std::string, std::vector<const RootRequirement*>, std::less<>> overrides_;  // of a name: active ones
  std::map<std::string, std::vector<const SpecifierSet*>, std::less<>> root_specifiers_;
  std::vector<PackageInfo> packages_;
  TextMap<PackageId> ids_;        // by label
  std::deque<std::string> kept_;  // what views of roots and overrides point to
  std::vector<Fact> facts_;
  std::unordered_map<FactKey, IncompatibilityId, FactKeyHash> dependency_facts_;
  std::map<std::pair<PackageId, std::string>, IncompatibilityId> unusable_facts_;
  bool must_restart_ = false;
};

// The requirement without its marker: "flask[async]>=3.1".
std::string requirement_label(std::string_view name, std::string_view extras, const SpecifierSet& specifiers,
                              std::string_view url);

}  // namespace dae::resolver
