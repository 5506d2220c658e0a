#pragma once
// What the universe knows: packages with their candidates, what versions need, and the facts stated to the engine.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "resolver/solver/engine.h"
#include "resolver/solver/requirement_texts.h"
#include "resolver/solver/solver.h"

namespace dae::resolver {

inline constexpr PackageId kNoPackage = UINT32_MAX;

// One requirement of a version. The views point into what the provider, the request or the universe keeps.
struct Need {
  std::string_view name, extras, url;
  const SpecifierReading* specifier = nullptr;
  const RootRequirement* override = nullptr;  // what stands in place of the requirement as written, or null
  PackageId target = kNoPackage;              // the package itself, whatever the extras; known once it is stated
};

enum class FactKind { root, constraint, dependency, same_version, unusable, yanked, prerelease };

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
};

struct PackageInfo {
  std::string name;   // normalised
  std::string extra;  // "" for the package itself
  PackageId base = 0;
  VersionSet expanded;
  uint32_t tried = 0;
  // Of the package itself only:
  std::vector<PackageId> extras;      // in the order first named
  bool loaded = false;                // the candidates are known
  std::vector<Candidate> candidates;  // newest first, direct references last
  size_t from_index = 0;              // so many of them come from an index
  std::vector<std::string> urls;      // beside candidates; "" = from an index
  std::vector<VersionSet> tiers;      // the candidates of an earlier tier are tried first
  bool lowest_first = false;          // within a tier
  bool wants_prereleases = false;     // they are ordinary versions
  VersionSet finals;                  // neither pre-release nor yanked
  VersionSet put_off;                 // pre-releases that are ruled out because there are final releases
  std::string note;
  const std::vector<Version>* hidden_by_cutoff = nullptr;
  std::vector<std::unique_ptr<VersionNeeds>> needs;  // by ordinal, once read
  RangeSets ranges;
  uint32_t tried_sdists = 0;
};

// The requirement without its marker: "flask[async]>=3.1".
std::string requirement_label(const Need& need);

}  // namespace dae::resolver
