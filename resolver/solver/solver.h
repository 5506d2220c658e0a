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
  bool yanked = false;      // all its usable files are yanked: only an exact == may choose it (PEP 592)
  bool sdist_only = false;  // its metadata may cost a build
};

// One dependency of a version, cut into its parts but not parsed: the versions of a package repeat them, so the solver
// parses each distinct text once. The views point into Dependencies::storage.
struct Dependency {
  std::string_view name;       // normalised
  std::string_view extras;     // normalised, sorted, joined by ','
  std::string_view specifier;  // what SpecifierSet::parse accepts, or ""
  std::string_view url;        // direct reference, or ""
  std::string_view marker;     // what Marker::parse accepts, not yet evaluated; ""
};

struct Dependencies {
  std::vector<Dependency> list;             // those of the package's extras included
  std::vector<std::string> provides_extra;  // normalised
  // Set when the version cannot be used at all ("requires python >=3.13", "metadata is broken: …").
  std::string unusable;
  std::shared_ptr<const void> storage;  // keeps the bytes alive that the views point to
};

// What is returned by reference stays as it is until the provider is gone.
class Provider {
 public:
  virtual ~Provider() = default;
  // All candidates, newest first; empty with `note` when there is none ("not in the index", "no wheel for …",
  // "quarantined").
  struct Versions {
    std::vector<Candidate> candidates;
    std::string note;
    // Versions that would be candidates without the cutoff by upload time, newest first: named where they would help.
    std::vector<Version> hidden_by_cutoff;
  };
  virtual const Versions& versions(const std::string& package) = 0;
  virtual const Dependencies& dependencies(const std::string& package, const Version& version) = 0;
  // A direct reference (name @ url): the one candidate it stands for.
  virtual Candidate direct(const std::string& package, const std::string& url) = 0;
  // These will be asked for soon; may start fetching. Never blocks.
  virtual void prefetch(const std::vector<std::string>& packages) { (void)packages; }
  virtual void prefetch_metadata(const std::string& package, const Version& version) { (void)package, (void)version; }
  // A version that exists but is no candidate; `reason` reads after its name.
  struct LeftOut {
    Version version;
    std::string reason;                       // "needs python >=3.12, the target has 3.11"
    std::string requires_python;              // when that is why, else ""
    std::optional<int64_t> uploaded_ms = {};  // when the cutoff is why
  };
  // Newest first; for explanations only, so it may take its time.
  virtual std::vector<LeftOut> left_out(const std::string& package) { return (void)package, std::vector<LeftOut>(); }
};

struct RootRequirement {
  Requirement requirement;
  std::string origin;     // "pyproject.toml:7", "command line", "pip-req.txt:3"
  bool editable = false;  // "-e", with a directory or a repository as its URL
  // Who asks: "" = the project itself, "extra:NAME" or "group:NAME". All are solved together; Pin::scopes tells who
  // needs what.
  std::string scope = {};
};

enum class PrereleaseMode { if_necessary, allow, disallow };
enum class Selection { highest, lowest, lowest_direct };  // lowest_direct: of what a root names; the rest highest

struct SolveRequest {
  std::vector<RootRequirement> roots;
  std::vector<RootRequirement> constraints;  // limit versions, pull nothing in
  std::vector<RootRequirement> overrides;    // replace every requirement on their package, whoever states it
  Selection selection = Selection::highest;
  std::map<std::string, Version> preferences;  // earlier pins, by normalised name; kept when possible
  PrereleaseMode prereleases = PrereleaseMode::if_necessary;
  Target target;
  int64_t max_steps = 2'000'000;  // then Error failed naming the pair that clashed most
  // Without a solution, look for more conflicts and for changes that help, for up to about two seconds.
  bool suggest = false;
  // A provider for another target or another cutoff (nullopt: the same), to find out whether that would help; may be
  // empty.
  std::function<std::unique_ptr<Provider>(const Target& target, std::optional<int64_t> cutoff_ms)> other_provider = {};
};

struct Pin {
  std::string name;  // normalised
  Version version;
  std::string url;                        // direct reference, or ""
  std::vector<std::string> extras;        // of this package, in use
  std::vector<std::string> dependencies;  // normalised names, sorted
  std::vector<std::string> required_by;   // origins and package names, sorted
  std::vector<std::string> scopes;        // of the roots that lead here, sorted; see RootRequirement::scope
};

struct Resolution {
  std::vector<Pin> pins;              // sorted by name
  std::vector<std::string> warnings;  // "`flask 3.1` has no extra `asink`", sorted
  int64_t steps = 0;
};

// One line of the explanation: "pyproject.toml:7", "flask 3.1.0 – 3.1.2", "needs werkzeug>=3.1".
struct ConflictLine {
  std::string origin;
  std::string text;
};
// Requirements and facts that contradict each other all by themselves, few as possible.
struct Conflict {
  std::vector<ConflictLine> lines;
  std::vector<size_t> roots;  // those of SolveRequest::roots in it, ascending
};
// A change with which there is a solution; every one of them was solved again before it was offered.
struct Suggestion {
  std::string origin;  // "pyproject.toml:12", or "" when it is no line of a file
  std::string text;    // "relax `x<2` to `x<3`"
};
struct NoSolution {
  std::vector<ConflictLine> lines;          // of the first conflict
  std::vector<std::string> involved_roots;  // normalised names of the root requirements in it
  std::vector<Conflict> conflicts;          // independent ones, shortest first; the first is `lines`
  std::vector<Suggestion> suggestions;
  bool together = false;  // none of the suggestions is enough by itself, all of them are
};

std::variant<Resolution, NoSolution> solve(const SolveRequest& request, Provider& provider);

}  // namespace dae::resolver
