#pragma once
// PubGrub for one target: from requirements to a set of pins, or to an explanation why there is none.
// Metadata comes through Provider, on demand; the solver does no I/O itself.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "resolver/standards/requirement.h"
#include "resolver/standards/tags.h"
#include "resolver/standards/version.h"

namespace dae::resolver {

// A version of a package that has at least one usable file for the target (or a direct reference).
struct Candidate {
  Version version;
  bool yanked = false;  // all its usable files are yanked: only an exact == may choose it (PEP 592)
};

struct Dependencies {
  std::vector<Requirement> requirements;  // markers not yet evaluated, extras of the package included
  std::vector<std::string> provides_extra;
  // Set when the version cannot be used at all ("requires python >=3.13", "metadata is broken: …").
  std::string unusable;
};

class Provider {
 public:
  virtual ~Provider() = default;
  // All candidates, newest first; empty with `note` when there is none ("not in the index", "no wheel for …",
  // "quarantined").
  struct Versions {
    std::vector<Candidate> candidates;
    std::string note;
  };
  virtual const Versions& versions(const std::string& package) = 0;
  virtual const Dependencies& dependencies(const std::string& package, const Version& version) = 0;
  // A direct reference (name @ url): the one candidate it stands for.
  virtual Candidate direct(const std::string& package, const std::string& url) = 0;
  // These will be asked for soon; may start fetching. Never blocks.
  virtual void prefetch(const std::vector<std::string>& packages) { (void)packages; }
  virtual void prefetch_metadata(const std::string& package, const Version& version) { (void)package, (void)version; }
};

struct RootRequirement {
  Requirement requirement;
  std::string origin;  // "pyproject.toml:7", "command line", "pip-req.txt:3"
};

enum class PrereleaseMode { if_necessary, allow, disallow };

struct SolveRequest {
  std::vector<RootRequirement> roots;
  std::vector<RootRequirement> constraints;    // limit versions, pull nothing in
  std::map<std::string, Version> preferences;  // earlier pins, by normalised name; kept when possible
  PrereleaseMode prereleases = PrereleaseMode::if_necessary;
  Target target;
  int64_t max_steps = 2'000'000;  // then Error failed naming the pair that clashed most
};

struct Pin {
  std::string name;  // normalised
  Version version;
  std::string url;                        // direct reference, or ""
  std::vector<std::string> extras;        // of this package, in use
  std::vector<std::string> dependencies;  // normalised names, sorted
  std::vector<std::string> required_by;   // origins and package names, sorted
};

struct Resolution {
  std::vector<Pin> pins;  // sorted by name
  int64_t steps = 0;
};

// One line of the explanation: "pyproject.toml:7", "flask 3.1.0 – 3.1.2", "needs werkzeug>=3.1".
struct ConflictLine {
  std::string origin;
  std::string text;
};
struct NoSolution {
  std::vector<ConflictLine> lines;  // the root requirements and facts that contradict each other, few as possible
  std::vector<std::string> involved_roots;  // normalised names of the root requirements in it
};

std::variant<Resolution, NoSolution> solve(const SolveRequest& request, Provider& provider);

}  // namespace dae::resolver
