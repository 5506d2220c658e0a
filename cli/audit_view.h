#pragma once
// How the findings of `dae audit` look: a table for people, JSON, SARIF 2.1.0 for code scanners.
#include <optional>
#include <string>
#include <vector>

#include "base/value.h"
#include "resolver/audit/audit.h"

namespace dae::cli {

struct AuditFeedShown {
  std::string label;
  size_t records = 0;
  std::optional<int64_t> age_ms;  // of one that was fetched earlier
  std::vector<std::string> skipped;
};

// What `dae install -P NAME` would come to.
struct AuditSuggestion {
  std::string version;  // that it would pin; "" = it found no solution
  bool fixes = false;
  std::vector<std::string> held_by;  // "pyproject.toml:7 (flask<3.1)"
};

struct AuditReport {
  std::string subject;  // "pylock.toml", ".venv"
  std::string text;     // of the lock, for line numbers; "" = none
  std::vector<AuditFeedShown> feeds;
  size_t checked = 0, withdrawn = 0;
  std::vector<resolver::AuditPackage> unchecked;
  std::vector<resolver::Finding> findings;
  std::vector<std::optional<AuditSuggestion>> suggestions;  // of each finding
  std::vector<std::string> unused_ignores;
  resolver::Severity level = resolver::Severity::unknown;

  bool counts(const resolver::Finding& finding) const {
    return !finding.ignored && resolver::counts_at(finding, level);
  }
  bool failed() const;
};

std::string audit_table(const AuditReport& report);  // "" without findings that count
Value audit_json(const AuditReport& report);
Value audit_sarif(const AuditReport& report);

// Texts of advisories come from outside: no control characters, one line.
std::string one_line(std::string_view text, size_t most = SIZE_MAX);

}  // namespace dae::cli
