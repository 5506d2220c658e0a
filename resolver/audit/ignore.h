#pragma once
// Decisions to live with an advisory: [tool.dae.audit] of pyproject.toml.
#include <cstdint>
#include <string>
#include <vector>

#include "base/value.h"

namespace dae::resolver {

struct AuditIgnore {
  std::string id;  // of the advisory, or any alias of it
  std::string reason;
  std::string until;   // "2026-12-31", the last day it holds (UTC); "" = for good
  std::string origin;  // "pyproject.toml:12", "--ignore"
};

// Throws Error bad_input with file:line:column.
std::vector<AuditIgnore> read_audit_ignores(Reader& table, const std::string& file);
bool is_expired(const AuditIgnore& ignore, int64_t wall_ms);

}  // namespace dae::resolver
