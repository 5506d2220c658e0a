#include "mirror/policy/allowances.h"

#include <algorithm>

#include "base/clock.h"
#include "base/strings.h"
#include "resolver/standards/names.h"

namespace dae::mirror {
namespace {

constexpr size_t kLongestReason = 2'000;

void check_reason(const std::string& reason) {
  if (trim(reason).empty()) {
    throw Error(ErrorKind::usage, "a reason is wanted", "", "whoever reads the audit trail later will ask for it");
  }
  if (reason.size() > kLongestReason) throw Error(ErrorKind::usage, "the reason has more than 2000 characters");
}

AuditEntry audit_entry(const AllowRequest& request, std::string action, int64_t now_ms) {
  AuditEntry entry;
  entry.at_ms = now_ms;
  entry.who = request.who;
  entry.action = std::move(action);
  entry.index = request.index;
  entry.subject = request.project + "==" + request.allowance.version;
  entry.reason = request.reason;
  entry.details = Value::object();
  return entry;
}

}  // namespace

void write_audit(Database& db, const AuditEntry& entry) {
  Statement insert =
      db.prepare("INSERT INTO audit(at_ms, who, action, index_name, subject, reason, details) VALUES(?,?,?,?,?,?,?)");
  insert.bind(1, entry.at_ms).bind(2, entry.who).bind(3, entry.action).bind(4, entry.index).bind(5, entry.subject);
  insert.bind(6, entry.reason).bind(7, entry.details.is_object() ? canonical_json(entry.details) : "{}").run();
}

std::vector<AuditEntry> read_audit(Catalog& catalog, const std::string& index, int64_t limit) {
  return catalog.read([&](Database& db) {
    std::vector<AuditEntry> entries;
    Statement rows = db.prepare(
        "SELECT id, at_ms, who, action, index_name, subject, reason, details FROM audit "
        "WHERE ?1 = '' OR index_name = ?1 ORDER BY id DESC LIMIT ?2");
    rows.bind(1, index).bind(2, limit);
    while (rows.step()) {
      AuditEntry& entry = entries.emplace_back();
      entry.id = rows.integer(0);
      entry.at_ms = rows.integer(1);
      entry.who = rows.text(2);
      entry.action = rows.text(3);
      entry.index = rows.text(4);
      entry.subject = rows.text(5);
      entry.reason = rows.text(6);
      entry.details = parse_json(rows.text(7), "catalog").root;
    }
    std::ranges::reverse(entries);
    return entries;
  });
}

std::pair<std::string, std::string> parse_project_version(std::string_view text) {
  const size_t at = text.find("==");
  const std::string name(trim(text.substr(0, at)));
  const auto version = at == std::string_view::npos
                           ? std::nullopt
                           : resolver::Version::try_parse(trim(text.substr(at + std::string_view("==").size())));
  if (!version || !resolver::is_valid_name(name)) {
    throw Error(ErrorKind::usage, "one version of one project is wanted", std::string(text), "`demo==1.2`");
  }
  return {resolver::normalize_name(name), version->text()};
}

void allow(Catalog& catalog, const AllowRequest& request, int64_t now_ms) {
  check_reason(request.reason);
  AuditEntry entry = audit_entry(request, "allow", now_ms);
  const bool ends = request.allowance.until_ms != kNever;
  if (ends) entry.details.set("until", format_utc(request.allowance.until_ms));
  if (!request.allowance.advisories.empty()) {
    entry.details.set("advisories", Value::strings(request.allowance.advisories));
  }
  catalog.write([&](Database& db) {
    Statement upsert = db.prepare(
        "INSERT OR REPLACE INTO allowances(index_name, project, version, until_ms, advisories) VALUES(?,?,?,?,?)");
    upsert.bind(1, request.index).bind(2, request.project).bind(3, request.allowance.version);
    if (ends) {
      upsert.bind(4, request.allowance.until_ms);
    } else {
      upsert.bind_null(4);
    }
    upsert.bind(5, canonical_json(Value::strings(request.allowance.advisories))).run();
    write_audit(db, entry);
  });
}

void revoke(Catalog& catalog, const AllowRequest& request, int64_t now_ms) {
  check_reason(request.reason);
  catalog.write([&](Database& db) {
    Statement remove = db.prepare("DELETE FROM allowances WHERE index_name = ? AND project = ? AND version = ?");
    remove.bind(1, request.index).bind(2, request.project).bind(3, request.allowance.version).run();
    if (db.changes() == 0) {
      throw Error(ErrorKind::not_found, "this version is not among those allowed",
                  request.project + "==" + request.allowance.version, "`dae mirror audit` lists what was allowed");
    }
    write_audit(db, audit_entry(request, "revoke", now_ms));
  });
}

std::vector<Allowance> read_allowances(Catalog& catalog, const std::string& index, const std::string& project) {
  return catalog.read([&](Database& db) {
    std::vector<Allowance> allowances;
    Statement rows = db.prepare(
        "SELECT version, until_ms, advisories FROM allowances WHERE index_name = ? AND project = ? ORDER BY version");
    rows.bind(1, index).bind(2, project);
    while (rows.step()) {
      Allowance& allowance = allowances.emplace_back();
      allowance.version = rows.text(0);
      if (!rows.is_null(1)) allowance.until_ms = rows.integer(1);
      const Document advisories = parse_json(rows.text(2), "catalog");
      for (const Value& id : advisories.root.as_array()) allowance.advisories.push_back(id.as_string());
    }
    return allowances;
  });
}

}  // namespace dae::mirror
