#pragma once
// What advisories say about a set of packages: one finding for each package and problem, however many databases have a
// record of it. Pure: no files, no network.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "resolver/audit/advisory.h"
#include "resolver/audit/ignore.h"

namespace dae::resolver {

struct AuditPackage {
  std::string name, version;  // normalised name
};

struct Finding {
  std::string package, version;
  std::vector<std::string> ids;      // of the records that hold for it, in the order of their names
  std::vector<std::string> aliases;  // their other names
  SeverityScore severity;            // the highest of them
  bool malware = false;
  std::string summary, url, published;
  std::vector<std::string> fixed_in;    // versions above this one that none of the records holds for, ascending
  std::vector<std::string> unreadable;  // versions of ranges that could not be compared: it may be no finding
  std::optional<AuditIgnore> ignored;   // malware is never
  std::optional<AuditIgnore> expired;   // was ignored until then
};

class Audit {
 public:
  explicit Audit(const std::vector<AuditPackage>& packages);
  // For reading feeds: the packages it is about.
  PackageFilter wanted() const;
  void add(Advisory advisory);
  size_t withdrawn() const;                                                  // among those that were added
  size_t checked() const;                                                    // packages and versions
  const std::vector<AuditPackage>& unchecked() const { return unchecked_; }  // of no version, such as source trees

  // Sorted: malware first, then by severity, name and ids. Records of several feeds, and those that name each other as
  // aliases, are one finding.
  std::vector<Finding> findings(const std::vector<AuditIgnore>& ignores, int64_t wall_ms) const;
  // Whether one of the finding's records holds for another version of its package as well.
  bool still_holds(const Finding& finding, const std::string& version) const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> versions_;  // by name
  std::map<std::string, Advisory> advisories_;                             // by id
  std::vector<AuditPackage> unchecked_;
};

// Whether a finding counts where only those from `level` on do. What nobody has rated is not known to be below.
bool counts_at(const Finding& finding, Severity level);

}  // namespace dae::resolver
