#include "resolver/audit/ignore.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

constexpr int64_t kDayMs = 24 * 3600 * 1000;

int64_t start_of_day(const std::string& date) {
  return parse_utc(date + "T00:00:00Z");
}

AuditIgnore read_one(const Reader& table, const Value& item, const std::string& file) {
  Reader entry(table.file(), item, "tool.dae.audit.ignore");
  AuditIgnore out;
  out.id = entry.required_string("id");
  out.reason = trim(entry.required_string("reason"));
  out.until = entry.string("until");
  out.origin = fmt::format("{}:{}", file, item.position.line);
  if (out.id.empty()) throw entry.error_at(item, "`id` is empty");
  if (out.reason.empty()) throw entry.error_at(item, fmt::format("`{}` is ignored without a reason", out.id));
  const Value* until = entry.optional("until");
  entry.finish();
  if (until == nullptr) return out;
  try {
    if (out.until.size() != 10) throw Error(ErrorKind::bad_input, "no day");
    start_of_day(out.until);
  } catch (const Error&) {
    throw entry.error_at(*until, fmt::format("`{}` is no day", out.until), "write `2026-12-31`");
  }
  return out;
}

}  // namespace

std::vector<AuditIgnore> read_audit_ignores(Reader& table, const std::string& file) {
  std::vector<AuditIgnore> out;
  if (const Value* list = table.optional("ignore")) {
    if (!list->is_array()) throw table.error_at(*list, "`tool.dae.audit.ignore` must be a list of tables");
    for (const Value& item : list->as_array()) out.push_back(read_one(table, item, file));
  }
  table.finish();
  return out;
}

bool is_expired(const AuditIgnore& ignore, int64_t wall_ms) {
  return !ignore.until.empty() && start_of_day(ignore.until) + kDayMs <= wall_ms;
}

}  // namespace dae::resolver
