#include "mirror/policy/config.h"

#include <algorithm>
#include <set>

#include "base/clock.h"
#include "mirror/policy/project_globs.h"
#include "resolver/audit/cvss.h"

namespace dae::mirror {
namespace {

constexpr int64_t kLongestCooldownMs = 1000ll * 24 * 3600 * 1000;
constexpr size_t kMostMembers = 32;

int64_t parse_cooldown(Reader& cooldown, const char* key) {
  const Value* value = cooldown.optional(key);
  if (value == nullptr) return 0;
  int64_t duration_ms = 0;
  try {
    duration_ms = parse_duration_ms(value->as_string());
  } catch (const Error&) {
    throw cooldown.error_at(*value, "a duration like `7d` is wanted here");
  }
  if (duration_ms <= 0 || duration_ms > kLongestCooldownMs) {
    throw cooldown.error_at(*value, "a cool-down is longer than nothing and at most 1000 days");
  }
  return duration_ms;
}

void parse_cooldowns(Reader& index, PolicyRules& rules) {
  const Value* value = index.optional("cooldown");
  if (value == nullptr) return;
  if (!value->is_object()) {
    throw index.error_at(*value, "a cool-down says what it counts from",
                         "`cooldown: {uploaded: 7d}`, by the upload time that the upstream tells, or "
                         "`cooldown: {first_seen: 3d}`, by when this mirror saw the file first; or both");
  }
  Reader cooldown(index.file(), *value, index.where() + ".cooldown");
  rules.cooldown_uploaded_ms = parse_cooldown(cooldown, "uploaded");
  rules.cooldown_first_seen_ms = parse_cooldown(cooldown, "first_seen");
  cooldown.finish();
  if (!rules.has_cooldown()) throw index.error_at(*value, "the cool-down names no rule", "`uploaded`, `first_seen`");
}

void parse_deny(Reader& index, PolicyRules& rules) {
  auto deny = index.object("deny");
  if (!deny) return;
  const Value& osv = deny->required("osv");
  for (const std::string& path : deny->strings("osv")) {
    if (path.empty()) throw deny->error_at(osv, "`osv` names no file or folder");
    rules.deny_osv.emplace_back(path);
  }
  if (rules.deny_osv.empty()) throw deny->error_at(osv, "`osv` names no file or folder");
  if (const Value* severity = deny->optional("severity")) {
    static const std::set<std::string, std::less<>> words = {"low", "medium", "high", "critical"};
    if (words.count(severity->as_string()) == 0) {
      throw deny->error_at(*severity, "`" + severity->as_string() + "` is no severity",
                           "`low`, `medium`, `high` or `critical`; without the key only malware is denied");
    }
    rules.deny_severity = severity->as_string();
  }
  deny->finish();
}

}  // namespace

PolicyRules parse_policy_rules(Reader& index) {
  PolicyRules rules;
  parse_cooldowns(index, rules);
  rules.exempt = read_project_globs(index, "exempt");
  if (!rules.exempt.empty() && !rules.has_cooldown()) {
    throw index.error_at(*index.optional("exempt"), "there is no cool-down to be exempt from");
  }
  parse_deny(index, rules);
  return rules;
}

OverlayRules parse_overlay_rules(Reader& index, const std::string& mode) {
  OverlayRules rules;
  const Value* overlay = index.optional("overlay");
  rules.claims = read_project_globs(index, "claims");
  rules.merge = read_project_globs(index, "merge");
  if (overlay == nullptr) {
    for (const char* key : {"claims", "merge"}) {
      if (const Value* value = index.optional(key)) {
        throw index.error_at(*value, std::string("`") + key + "` is a key of overlays", "`overlay: [private, pypi]`");
      }
    }
    if (mode == "overlay") throw index.error_at(index.value(), "an overlay names its indexes", "`overlay: [a, b]`");
    return rules;
  }
  if (!mode.empty() && mode != "overlay") {
    throw index.error_at(*overlay, "an index of mode `" + mode + "` is no overlay");
  }
  for (const char* key : {"upstream", "frozen", "cooldown", "exempt", "deny"}) {
    if (const Value* value = index.optional(key)) {
      throw index.error_at(*value, std::string("an overlay has no `") + key + "`",
                           "it serves what its members serve: put the key on the index that it is about");
    }
  }
  rules.members = index.strings("overlay");
  if (rules.members.empty()) throw index.error_at(*overlay, "the overlay names no index");
  if (rules.members.size() > kMostMembers) throw index.error_at(*overlay, "an overlay is over 32 indexes at most");
  return rules;
}

void parse_policy(Reader& reader, IndexConfig& index) {
  index.overlay = parse_overlay_rules(reader, reader.has("mode") ? index.mode : "");
  index.policy = parse_policy_rules(reader);
  if (!index.overlay.is_overlay()) return;
  index.mode = "overlay";
  index.upstream.clear();
  index.frozen = true;
}

void check_overlays(Reader& mirror, const std::vector<IndexConfig>& indexes) {
  for (const IndexConfig& index : indexes) {
    const auto wrong = [&](const std::string& member, const char* what) {
      const Value& where = mirror.optional("indexes")->at(index.name).at("overlay");
      return mirror.error_at(where, "the overlay `" + index.name + "` names `" + member + "`" + what);
    };
    std::set<std::string> seen;
    for (const std::string& member : index.overlay.members) {
      const auto found = std::ranges::find(indexes, member, &IndexConfig::name);
      if (found == indexes.end()) throw wrong(member, ", which is no index here");
      if (found->overlay.is_overlay()) throw wrong(member, ", which is an overlay itself");
      if (!seen.insert(member).second) throw wrong(member, " twice");
    }
  }
}

}  // namespace dae::mirror
