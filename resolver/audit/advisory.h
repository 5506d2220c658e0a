#pragma once
// One security advisory in the OSV format (OSV schema 1.x), as far as it speaks of Python packages: which versions it
// holds for, and how bad it is.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resolver/audit/cvss.h"
#include "resolver/standards/version.h"

namespace dae::resolver {

struct VersionEvent {
  enum class Kind { introduced, fixed, last_affected, limit };
  Kind kind = Kind::introduced;
  std::optional<Version> version;  // none: before every version ("0" of introduced), beyond all ("*" of limit)
};

struct AffectedPackage {
  std::string name;                               // normalised
  std::vector<std::vector<VersionEvent>> ranges;  // each in the order of its versions
  std::vector<std::string> versions;              // as listed
  std::vector<std::string> unreadable;            // versions of ranges that PEP 440 cannot order
  SeverityScore severity;                         // of this package alone; unknown: that of the advisory
};

struct Advisory {
  std::string id;
  std::vector<std::string> aliases;
  std::string summary, published, modified;
  std::string url;  // of a page for people, or ""
  bool withdrawn = false;
  SeverityScore severity;
  std::vector<AffectedPackage> packages;  // those that were asked for

  bool is_malware() const { return id.starts_with("MAL-"); }
};

// The schema's evaluation ("Evaluation"): in one of the ranges or in the list. Ranges of commits say nothing about
// versions. A local label counts only where the advisory names one: 1.0+cpu is a build of 1.0. Where a range cannot be
// read and no list settles it, the version counts as affected.
bool is_affected(const AffectedPackage& package, const Version& version);
// The versions that end ranges.
std::vector<Version> fixed_versions(const AffectedPackage& package);

// By normalised name.
using PackageFilter = std::function<bool(std::string_view name)>;

// Keeps buffers between documents. Not for several threads at once.
class AdvisoryParser {
 public:
  AdvisoryParser();
  ~AdvisoryParser();
  AdvisoryParser(const AdvisoryParser&) = delete;
  AdvisoryParser& operator=(const AdvisoryParser&) = delete;

  struct Counts {
    size_t records = 0;    // in the document
    size_t of_python = 0;  // of those, about packages of this ecosystem
  };
  // A record, or a list of them. `take` gets those about packages that `wanted` accepts, withdrawn ones too.
  // Throws Error bad_input (subject = `name`) on anything that is no advisory.
  Counts parse(std::string_view json, const std::string& name, const PackageFilter& wanted,
               const std::function<void(Advisory)>& take);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dae::resolver
