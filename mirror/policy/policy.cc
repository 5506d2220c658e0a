#include "mirror/policy/policy.h"

#include <algorithm>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "mirror/policy/project_globs.h"
#include "resolver/standards/names.h"

namespace dae::mirror {
namespace {

std::optional<resolver::Version> version_of(const resolver::IndexFile& file, const std::string& project) {
  if (auto wheel = resolver::parse_wheel_name(file.name)) return std::move(wheel->version);
  if (auto sdist = resolver::parse_sdist_name(file.name, project)) return std::move(sdist->version);
  return std::nullopt;
}

// What people let through of this version, all of it together.
struct Allowed {
  bool cooldowns = false;
  std::vector<std::string> advisories;
  int64_t until_ms = kNever;  // of the first that ends
};

Allowed allowed_now(const Policy& policy, const resolver::Version* version, int64_t now_ms) {
  Allowed out;
  if (version == nullptr) return out;
  for (const Allowance& allowance : policy.allowed) {
    const auto named = resolver::Version::try_parse(allowance.version);
    if (!named || *named != *version || allowance.until_ms <= now_ms) continue;
    out.cooldowns = true;
    out.advisories.insert(out.advisories.end(), allowance.advisories.begin(), allowance.advisories.end());
    out.until_ms = std::min(out.until_ms, allowance.until_ms);
  }
  return out;
}

int64_t first_seen_ms(const ProjectDocument& document, const std::string& file) {
  const auto found = document.first_seen_ms.find(file);
  return found == document.first_seen_ms.end() ? kNever : found->second;
}

// Who tells no upload time, or one that cannot be read, is judged by when this mirror saw the file.
int64_t uploaded_ms(const ProjectDocument& document, const resolver::IndexFile& file) {
  if (!file.upload_time.empty()) {
    try {
      return parse_utc(file.upload_time);
    } catch (const Error&) {
    }
  }
  return first_seen_ms(document, file.name);
}

int64_t after(int64_t start_ms, int64_t duration_ms) {
  return start_ms > kNever - duration_ms ? kNever : start_ms + duration_ms;
}

// nullopt: it is over.
std::optional<Verdict> judge_cooldowns(const PolicyRules& rules, const ProjectDocument& document,
                                       const resolver::IndexFile& file, int64_t now_ms) {
  const int64_t uploaded_end_ms =
      rules.cooldown_uploaded_ms > 0 ? after(uploaded_ms(document, file), rules.cooldown_uploaded_ms) : 0;
  const int64_t seen_end_ms =
      rules.cooldown_first_seen_ms > 0 ? after(first_seen_ms(document, file.name), rules.cooldown_first_seen_ms) : 0;
  const bool by_upload = uploaded_end_ms >= seen_end_ms;
  const int64_t end_ms = std::max(uploaded_end_ms, seen_end_ms);
  if (end_ms <= now_ms) return std::nullopt;
  Verdict verdict;
  verdict.admitted = false;
  verdict.next_change_ms = end_ms;
  verdict.rule = by_upload ? "cooldown.uploaded" : "cooldown.first_seen";
  verdict.reason = "`" + file.name + "` is too fresh: the cool-down by " +
                   (by_upload ? "upload time" : "the time it was first seen here");
  verdict.reason += end_ms == kNever ? " has no time to count from" : " ends at " + format_utc(end_ms);
  return verdict;
}

}  // namespace

Verdict admits(const Policy& policy, const ProjectDocument& document, const resolver::IndexFile& file, int64_t now_ms) {
  const std::string& project = document.page.name;
  if (document.page.status == "quarantined") {
    std::string reason = "`" + project + "` is quarantined";
    if (!document.page.status_reason.empty()) reason += ": " + document.page.status_reason;
    return {.admitted = false, .rule = "quarantined", .reason = std::move(reason)};
  }
  const bool may_be_denied = policy.denied && !policy.denied->about(project).empty();
  const bool cools_down = policy.rules.has_cooldown() && !matches_any(policy.rules.exempt, project);
  if (!may_be_denied && !cools_down) return {};

  std::optional<resolver::Version> version;
  if (may_be_denied || !policy.allowed.empty()) version = version_of(file, project);
  const Allowed allowed = allowed_now(policy, version ? &*version : nullptr, now_ms);
  if (may_be_denied) {
    const auto* denial = find_denial(*policy.denied, project, version ? &*version : nullptr, allowed.advisories);
    if (denial != nullptr) {
      std::string reason = "`" + file.name + "` is denied by the advisory " + denial->advisory;
      if (!denial->summary.empty()) reason += ": " + denial->summary;
      return {.admitted = false, .rule = "deny.osv", .reason = std::move(reason)};
    }
  }
  if (cools_down && !allowed.cooldowns) {
    if (auto verdict = judge_cooldowns(policy.rules, document, file, now_ms)) return *verdict;
  }
  Verdict verdict;
  verdict.next_change_ms = allowed.until_ms;
  return verdict;
}

PolicyPage apply_policy(const Policy& policy, const ProjectDocument& document, int64_t now_ms) {
  PolicyPage out{.page = document.page};
  if (policy.is_plain() && document.page.status != "quarantined") return out;
  std::erase_if(out.page.files, [&](const resolver::IndexFile& file) {
    const Verdict verdict = admits(policy, document, file, now_ms);
    if (verdict.next_change_ms > now_ms) out.next_change_ms = std::min(out.next_change_ms, verdict.next_change_ms);
    return !verdict.admitted;
  });
  return out;
}

Lifetime lifetime(int64_t next_change_ms, int64_t now_ms, int64_t longest_s) {
  if (next_change_ms == kNever) return {longest_s, kNever};
  // Half of what is left: the other half is the time in which the answer may be given again with the same words.
  const int64_t left_ms = std::max<int64_t>(0, next_change_ms - now_ms);
  const int64_t max_age_s = std::min(longest_s, left_ms / 2000);
  return {max_age_s, next_change_ms - max_age_s * 1000};
}

}  // namespace dae::mirror
