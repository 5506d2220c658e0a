#pragma once
// Break-glass: versions that somebody let through by name, and who did so when and why. Rows of the catalog; another
// process may write them while the mirror serves, and the next request that is not answered from memory sees them.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/value.h"
#include "mirror/catalog.h"
#include "mirror/policy/policy.h"

namespace dae::mirror {

struct AuditEntry {
  int64_t id = 0, at_ms = 0;
  std::string who, action, index, subject, reason;
  Value details;  // a mapping
};

// One row more, in the caller's transaction. For whatever somebody should be asked about later.
void write_audit(Database& db, const AuditEntry& entry);
// The last `limit` of them, oldest first; `index` "" means all.
std::vector<AuditEntry> read_audit(Catalog& catalog, const std::string& index, int64_t limit);

struct AllowRequest {
  std::string index, project;  // normalised
  Allowance allowance;
  std::string who, reason;
};
// "demo==1.2". Throws Error usage.
std::pair<std::string, std::string> parse_project_version(std::string_view text);
// Replaces what was allowed of this version, and writes the audit row, in one transaction. Throws Error usage without a
// reason.
void allow(Catalog& catalog, const AllowRequest& request, int64_t now_ms);
// Throws Error not_found when it is not allowed.
void revoke(Catalog& catalog, const AllowRequest& request, int64_t now_ms);
// Also those whose time is over, in the order of their versions' texts.
std::vector<Allowance> read_allowances(Catalog& catalog, const std::string& index, const std::string& project);

}  // namespace dae::mirror
