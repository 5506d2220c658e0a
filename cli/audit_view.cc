#include "cli/audit_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/strings.h"
#include "base/table.h"

namespace dae::cli {
namespace {

using resolver::Finding;

std::string rating(const Finding& finding) {
  if (finding.malware) return "malware";
  const std::string name(resolver::severity_name(finding.severity.rating));
  if (finding.severity.score) return fmt::format("{} {:.1f}", name, *finding.severity.score);
  const std::string& vector = finding.severity.vector;
  // The word is the database's own; of the vector whoever reads it may judge (--json has it whole).
  return vector.starts_with("CVSS:") ? fmt::format("{} ({}, score unknown)", name, vector.substr(0, vector.find('/')))
                                     : name;
}

// The name most people know it by.
std::string shown_id(const Finding& finding) {
  for (const auto& names : {finding.ids, finding.aliases}) {
    for (const std::string& id : names)
      if (id.starts_with("CVE-")) return id == finding.ids.front() ? id : finding.ids.front() + " (" + id + ")";
  }
  return finding.ids.front();
}

Value ignore_json(const resolver::AuditIgnore& ignore) {
  Value out = Value::object({{"id", ignore.id}, {"reason", ignore.reason}, {"from", ignore.origin}});
  if (!ignore.until.empty()) out.set("until", ignore.until);
  return out;
}

Value finding_json(const AuditReport& report, size_t at) {
  const Finding& finding = report.findings[at];
  Value out = Value::object({{"package", finding.package},
                             {"version", finding.version},
                             {"ids", Value::strings(finding.ids)},
                             {"aliases", Value::strings(finding.aliases)},
                             {"malware", finding.malware},
                             {"severity", resolver::severity_name(finding.severity.rating)},
                             {"fixed_in", Value::strings(finding.fixed_in)},
                             {"summary", finding.summary},
                             {"counts", report.counts(finding)}});
  if (finding.severity.score) out.set("score", *finding.severity.score);
  if (!finding.severity.vector.empty()) out.set("vector", finding.severity.vector);
  if (!finding.url.empty()) out.set("url", finding.url);
  if (!finding.published.empty()) out.set("published", finding.published);
  if (!finding.unreadable.empty()) out.set("unreadable_versions", Value::strings(finding.unreadable));
  if (finding.ignored) out.set("ignored", ignore_json(*finding.ignored));
  if (finding.expired) out.set("ignore_expired", ignore_json(*finding.expired));
  if (const auto& suggestion = report.suggestions[at]) {
    out.set("suggestion", Value::object({{"version", suggestion->version},
                                         {"fixes", suggestion->fixes},
                                         {"held_by", Value::strings(suggestion->held_by)}}));
  }
  return out;
}

// Where the package stands in the lock; 1 where there is no line to name.
int64_t line_of(const AuditReport& report, const Finding& finding) {
  const std::vector<std::string> lines = split_lines(report.text);
  const std::string name = fmt::format("name = {}", json_string(finding.package));
  const std::string version = fmt::format("version = {}", json_string(finding.version));
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i] == name && (i + 1 == lines.size() || lines[i + 1] == version)) return static_cast<int64_t>(i) + 1;
  }
  return 1;
}

const char* sarif_level(const Finding& finding) {
  if (finding.malware || finding.severity.rating >= resolver::Severity::high) return "error";
  return finding.severity.rating == resolver::Severity::low || finding.severity.rating == resolver::Severity::none
             ? "note"
             : "warning";
}

Value sarif_rule(const Finding& finding) {
  Value rule = Value::object(
      {{"id", finding.ids.front()},
       {"shortDescription",
        Value::object({{"text", finding.summary.empty() ? finding.ids.front() : one_line(finding.summary)}})}});
  if (!finding.url.empty()) rule.set("helpUri", finding.url);
  Value properties = Value::object({{"tags", Value::strings(std::vector<std::string>{"security"})}});
  if (finding.severity.score) properties.set("security-severity", fmt::format("{:.1f}", *finding.severity.score));
  return rule.set("properties", std::move(properties));
}

Value sarif_result(const AuditReport& report, const Finding& finding) {
  const std::string fix =
      finding.fixed_in.empty() ? "no fixed version is known" : "fixed in " + join(finding.fixed_in, ", ");
  const std::string text =
      fmt::format("{} {}: {} ({}; {})", finding.package, finding.version,
                  finding.summary.empty() ? finding.ids.front() : one_line(finding.summary), rating(finding), fix);
  Value place = Value::object({{"artifactLocation", Value::object({{"uri", report.subject}})},
                               {"region", Value::object({{"startLine", line_of(report, finding)}})}});
  Value location = Value::object({{"physicalLocation", std::move(place)}});
  Value out = Value::object({{"ruleId", finding.ids.front()},
                             {"level", sarif_level(finding)},
                             {"message", Value::object({{"text", text}})},
                             {"locations", Value(Value::Array{std::move(location)})}});
  if (finding.ignored) {
    Value why = Value::object({{"kind", "external"}, {"justification", finding.ignored->reason}});
    out.set("suppressions", Value(Value::Array{std::move(why)}));
  }
  return out;
}

}  // namespace

bool AuditReport::failed() const {
  return std::ranges::any_of(findings, [&](const Finding& finding) { return counts(finding); });
}

std::string one_line(std::string_view text, size_t most) {
  std::string out(text);
  std::ranges::replace_if(
      out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  if (out.size() <= most) return out;
  size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) --end;  // not within a character
  return out.substr(0, end) + "…";
}

std::string audit_table(const AuditReport& report) {
  Table table({"package", "version", "severity", "advisory", "fixed in", "what"});
  for (const Finding& finding : report.findings) {
    if (!report.counts(finding)) continue;
    table.add({finding.package, finding.version, rating(finding), shown_id(finding),
               finding.fixed_in.empty() ? "-" : join(finding.fixed_in, ", "), one_line(finding.summary, 60)});
  }
  return table.empty() ? "" : table.render();
}

Value audit_json(const AuditReport& report) {
  Value feeds = Value::array(), findings = Value::array(), unchecked = Value::array();
  for (const AuditFeedShown& feed : report.feeds) {
    Value one =
        Value::object({{"feed", feed.label}, {"advisories", feed.records}, {"skipped", Value::strings(feed.skipped)}});
    if (feed.age_ms) one.set("age_s", *feed.age_ms / 1000);
    feeds.push_back(std::move(one));
  }
  for (size_t i = 0; i < report.findings.size(); ++i) findings.push_back(finding_json(report, i));
  for (const auto& package : report.unchecked) unchecked.push_back(package.name);
  return Value::object({{"subject", report.subject},
                        {"feeds", std::move(feeds)},
                        {"checked", report.checked},
                        {"unchecked", std::move(unchecked)},
                        {"withdrawn", report.withdrawn},
                        {"findings", std::move(findings)},
                        {"unused_ignores", Value::strings(report.unused_ignores)},
                        {"failed", report.failed()}});
}

Value audit_sarif(const AuditReport& report) {
  std::map<std::string, Value> rules;
  Value results = Value::array(), listed = Value::array();
  for (const Finding& finding : report.findings) {
    rules.emplace(finding.ids.front(), sarif_rule(finding));
    results.push_back(sarif_result(report, finding));
  }
  for (auto& [id, rule] : rules) listed.push_back(std::move(rule));
  Value driver = Value::object({{"name", "dae"}, {"version", DAE_VERSION}, {"rules", std::move(listed)}});
  Value run =
      Value::object({{"tool", Value::object({{"driver", std::move(driver)}})}, {"results", std::move(results)}});
  return Value::object({{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                        {"version", "2.1.0"},
                        {"runs", Value(Value::Array{std::move(run)})}});
}

}  // namespace dae::cli
