// The pure parts: which files are offered when, which names look alike, and what mirror.yaml may say of it.
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/fs.h"
#include "mirror/mirror.h"
#include "mirror/policy/lookalikes.h"
#include "mirror/policy/policy.h"
#include "mirror/policy/project_globs.h"

namespace dae::mirror {
namespace {

constexpr int64_t kHourMs = 3'600'000, kDayMs = 24 * kHourMs;
const int64_t kUploadedMs = parse_utc("2026-11-01T00:00:00Z");

resolver::IndexFile file_of(const std::string& version, const std::string& upload_time) {
  resolver::IndexFile file;
  file.name = "demo-" + version + "-py3-none-any.whl";
  file.sha256 = std::string(64, 'a');
  file.upload_time = upload_time;
  return file;
}

// Version 1.0 is old, 2.0 was uploaded at kUploadedMs and seen an hour later.
ProjectDocument two_versions() {
  ProjectDocument document;
  document.page.name = "demo";
  document.page.files = {file_of("1.0", "2020-01-01T00:00:00Z"), file_of("2.0", format_utc(kUploadedMs))};
  document.first_seen_ms = {{document.page.files[0].name, kUploadedMs - 100 * kDayMs},
                            {document.page.files[1].name, kUploadedMs + kHourMs}};
  return document;
}

std::shared_ptr<const DenyList> denied(const std::string& advisory, const std::string& version) {
  auto list = std::make_shared<DenyList>();
  DenyList::Entry entry{advisory, "steals credentials", {}};
  entry.package.name = "demo";
  entry.package.versions = {version};
  list->add(entry);
  return list;
}

std::vector<std::string> offered(const Policy& policy, const ProjectDocument& document, int64_t now_ms) {
  std::vector<std::string> names;
  for (const auto& file : apply_policy(policy, document, now_ms).page.files) names.push_back(file.name);
  return names;
}

TEST(Policy, HoldsAFileBackUntilItsCoolDownByUploadTimeEnds) {
  Policy policy;
  policy.rules.cooldown_uploaded_ms = 7 * kDayMs;
  const ProjectDocument document = two_versions();
  const int64_t end_ms = kUploadedMs + 7 * kDayMs;
  const PolicyPage before = apply_policy(policy, document, end_ms - 1);
  EXPECT_EQ(before.page.files.size(), 1u);
  EXPECT_EQ(before.next_change_ms, end_ms);
  const PolicyPage after = apply_policy(policy, document, end_ms);
  EXPECT_EQ(after.page.files.size(), 2u);
  EXPECT_EQ(after.next_change_ms, kNever);
  EXPECT_EQ(admits(policy, document, document.page.files[1], end_ms - 1).rule, "cooldown.uploaded");
}

TEST(Policy, TheLaterOfTwoCoolDownsCounts) {
  Policy policy;
  policy.rules.cooldown_uploaded_ms = kDayMs;
  policy.rules.cooldown_first_seen_ms = kDayMs;
  const ProjectDocument document = two_versions();
  const Verdict verdict = admits(policy, document, document.page.files[1], kUploadedMs + kDayMs);
  EXPECT_FALSE(verdict.admitted);
  EXPECT_EQ(verdict.rule, "cooldown.first_seen");
  EXPECT_EQ(verdict.next_change_ms, kUploadedMs + kHourMs + kDayMs);
  EXPECT_TRUE(admits(policy, document, document.page.files[1], verdict.next_change_ms).admitted);
}

TEST(Policy, JudgesByWhenItWasSeenWhatTellsNoUploadTime) {
  Policy policy;
  policy.rules.cooldown_uploaded_ms = kDayMs;
  for (const char* untold : {"", "yesterday"}) {
    ProjectDocument document = two_versions();
    document.page.files[1].upload_time = untold;
    EXPECT_EQ(apply_policy(policy, document, kUploadedMs + kDayMs).next_change_ms, kUploadedMs + kHourMs + kDayMs);
  }
  ProjectDocument never_seen = two_versions();
  never_seen.page.files[1].upload_time.clear();
  never_seen.first_seen_ms.clear();
  EXPECT_EQ(offered(policy, never_seen, kUploadedMs + 1000 * kDayMs).size(), 1u);
}

TEST(Policy, PassesOverExemptProjects) {
  Policy policy;
  policy.rules.cooldown_uploaded_ms = 7 * kDayMs;
  policy.rules.exempt = {"de*"};
  EXPECT_EQ(offered(policy, two_versions(), kUploadedMs).size(), 2u);
  policy.rules.exempt = {"other"};
  EXPECT_EQ(offered(policy, two_versions(), kUploadedMs).size(), 1u);
}

TEST(Policy, LetsAVersionThroughThatSomebodyNamed) {
  Policy policy;
  policy.rules.cooldown_uploaded_ms = 7 * kDayMs;
  policy.allowed = {{"2.0.0", kUploadedMs + kDayMs, {}}};
  const PolicyPage page = apply_policy(policy, two_versions(), kUploadedMs);
  EXPECT_EQ(page.page.files.size(), 2u);
  EXPECT_EQ(page.next_change_ms, kUploadedMs + kDayMs);
  EXPECT_EQ(offered(policy, two_versions(), kUploadedMs + kDayMs).size(), 1u);
}

TEST(Policy, DeniesWhatAnAdvisoryForbidsEvenWhenTheCoolDownWasLifted) {
  Policy policy;
  policy.rules.cooldown_uploaded_ms = 7 * kDayMs;
  policy.denied = denied("MAL-2026-1", "2.0");
  policy.allowed = {{"2.0", kNever, {}}};
  const ProjectDocument document = two_versions();
  const Verdict verdict = admits(policy, document, document.page.files[1], kUploadedMs);
  EXPECT_EQ(verdict.rule, "deny.osv");
  EXPECT_NE(verdict.reason.find("MAL-2026-1"), std::string::npos);
  EXPECT_EQ(offered(policy, document, kUploadedMs + 100 * kDayMs),
            std::vector<std::string>{"demo-1.0-py3-none-any.whl"});
  policy.allowed[0].advisories = {"MAL-2026-2"};
  EXPECT_EQ(offered(policy, document, kUploadedMs).size(), 1u);
  policy.allowed[0].advisories = {"MAL-2026-1"};
  EXPECT_EQ(offered(policy, document, kUploadedMs).size(), 2u);
}

TEST(DenyList, TakesMalwareAndWhatIsRatedBadEnough) {
  const TempDir dir;
  const auto advisory = [&](const std::string& id, const std::string& more) {
    write_file_atomic(dir.path() / (id + ".json"),
                      R"({"id":")" + id + R"(","modified":"2026-01-01T00:00:00Z")" + more +
                          R"(,"affected":[{"package":{"ecosystem":"PyPI","name":"demo"},"versions":["2.0"]}]})");
  };
  advisory("GHSA-bad", R"(,"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}])");
  advisory("GHSA-mild", R"(,"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"}])");
  advisory("GHSA-unrated", "");
  advisory("MAL-2026-1", "");
  advisory("MAL-2026-2", R"(,"withdrawn":"2026-01-02T00:00:00Z")");
  PolicyRules rules;
  rules.deny_osv = {dir.path()};
  const auto names = [&] {
    const DenyReading reading = read_deny_list(rules);
    EXPECT_TRUE(reading.unreadable.empty());
    std::vector<std::string> out;
    for (const DenyList::Entry& entry : reading.list->about("demo")) out.push_back(entry.advisory);
    return out;
  };
  EXPECT_EQ(names(), std::vector<std::string>{"MAL-2026-1"});
  rules.deny_severity = "high";
  EXPECT_EQ(names(), (std::vector<std::string>{"GHSA-bad", "MAL-2026-1"}));
  rules.deny_severity = "low";
  EXPECT_EQ(names(), (std::vector<std::string>{"GHSA-bad", "GHSA-mild", "MAL-2026-1"}));
}

TEST(Policy, OffersNothingOfAQuarantinedProject) {
  ProjectDocument document = two_versions();
  document.page.status = "quarantined";
  document.page.status_reason = "looked at";
  Policy policy;
  policy.allowed = {{"1.0", kNever, {}}};
  const PolicyPage page = apply_policy(policy, document, kUploadedMs);
  EXPECT_TRUE(page.page.files.empty());
  EXPECT_EQ(page.page.status, "quarantined");
  EXPECT_EQ(admits(policy, document, document.page.files[0], kUploadedMs).rule, "quarantined");
}

TEST(Policy, NoAnswerIsKeptBeyondTheNextChange) {
  EXPECT_EQ(lifetime(kNever, 5'000, 600).max_age_s, 600);
  EXPECT_EQ(lifetime(kNever, 5'000, 600).valid_until_ms, kNever);
  for (const int64_t left_ms : {0, 1, 999, 1'000, 59'000, 600'000, 1'199'999, 1'200'000, 86'400'000}) {
    const Lifetime life = lifetime(5'000 + left_ms, 5'000, 600);
    EXPECT_LE(life.max_age_s, 600);
    EXPECT_GE(life.valid_until_ms, 5'000);
    EXPECT_LE(life.valid_until_ms + life.max_age_s * 1000, 5'000 + left_ms) << left_ms;
  }
  EXPECT_EQ(lifetime(86'405'000, 5'000, 600).max_age_s, 600);
}

TEST(Lookalikes, AreOneEditASeparatorOrALookAlikeCharacterAway) {
  const std::vector<std::string> known = {"requests", "py-yaml", "pyyaml", "flask", "paypal-sdk", "abc", "numpy"};
  const auto names = [&](const char* name) {
    std::vector<std::string> out;
    for (const Lookalike& one : lookalikes(name, known)) out.push_back(one.name + ": " + one.why);
    return out;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names("request"), Names{"requests: one character less"});
  EXPECT_EQ(names("requestss"), Names{"requests: one character more"});
  EXPECT_EQ(names("reqeusts"), Names{"requests: two characters are swapped"});
  EXPECT_EQ(names("requexts"), Names{"requests: one character differs"});
  EXPECT_EQ(names("pyyaml"), Names{"py-yaml: differs in separators only"});
  EXPECT_EQ(names("paypalsdk"), Names{"paypal-sdk: differs in separators only"});
  EXPECT_EQ(names("f1ask"), Names{"flask: differs in characters that look alike"});
  EXPECT_EQ(names("nurnpy"), Names{"numpy: differs in characters that look alike"});
  EXPECT_EQ(names("abd"), Names{});
  EXPECT_EQ(names("requests"), Names{});
  EXPECT_EQ(names("something-else"), Names{});
}

TEST(ProjectGlobs, AreNormalisedAsNamesAre) {
  EXPECT_EQ(normalize_project_glob("Acme_*"), "acme-*");
  EXPECT_EQ(normalize_project_glob("a.b__c"), "a-b-c");
  for (const char* bad : {"", "a b", "a/b", "[ab]", "-a", "acme-", "*\n"}) EXPECT_EQ(normalize_project_glob(bad), "");
  EXPECT_TRUE(matches_any({"x", "acme-*"}, "acme-core"));
  EXPECT_FALSE(matches_any({"x", "acme-*"}, "acme"));
}

MirrorConfig parse(const std::string& indexes) {
  return parse_mirror_config(parse_yaml("storage: here\nindexes:\n" + indexes, "mirror.yaml"));
}

std::string refusal(const std::string& indexes) {
  try {
    parse(indexes);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    return error.what();
  }
  return "accepted";
}

TEST(PolicyConfig, ReadsRulesAndOverlays) {
  const MirrorConfig config = parse(
      "  pypi: {cooldown: {uploaded: 7d, first_seen: 3d}, exempt: [\"Acme_*\"], "
      "deny: {osv: [/feeds/mal, more.json], severity: critical}}\n"
      "  team: {mode: private}\n"
      "  all: {overlay: [team, pypi], claims: [\"acme-*\", internal], merge: torch}\n");
  const PolicyRules& rules = config.indexes[0].policy;
  EXPECT_EQ(rules.cooldown_uploaded_ms, 7 * kDayMs);
  EXPECT_EQ(rules.cooldown_first_seen_ms, 3 * kDayMs);
  EXPECT_EQ(rules.exempt, std::vector<std::string>{"acme-*"});
  EXPECT_EQ(rules.deny_osv, (std::vector<Path>{"/feeds/mal", "more.json"}));
  EXPECT_EQ(rules.deny_severity, "critical");
  EXPECT_EQ(config.indexes[2].mode, "overlay");
  EXPECT_EQ(config.indexes[2].upstream, "");
  EXPECT_EQ(config.indexes[2].overlay.members, (std::vector<std::string>{"team", "pypi"}));
  EXPECT_EQ(config.indexes[2].overlay.claims, (std::vector<std::string>{"acme-*", "internal"}));
  EXPECT_EQ(config.indexes[2].overlay.merge, std::vector<std::string>{"torch"});
}

TEST(PolicyConfig, RefusesWhatCannotBeMeantAtItsPosition) {
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  EXPECT_PRED2(has, refusal("  pypi:\n    cooldown: 7d\n"), "mirror.yaml:4:");
  EXPECT_PRED2(has, refusal("  pypi: {cooldown: {}}\n"), "names no rule");
  EXPECT_PRED2(has, refusal("  pypi: {cooldown: {uploaded: soon}}\n"), "a duration");
  EXPECT_PRED2(has, refusal("  pypi: {cooldown: {uploaded: 0s}}\n"), "longer than nothing");
  EXPECT_PRED2(has, refusal("  pypi: {cooldown: {upload: 7d}}\n"), "upload");
  EXPECT_PRED2(has, refusal("  pypi: {exempt: [a]}\n"), "no cool-down");
  EXPECT_PRED2(has, refusal("  pypi: {cooldown: {uploaded: 7d}, exempt: [a b]}\n"), "no project name or glob");
  EXPECT_PRED2(has, refusal("  pypi: {deny: {osv: []}}\n"), "names no file");
  EXPECT_PRED2(has, refusal("  pypi: {deny: {osv: x, severity: bad}}\n"), "no severity");
  EXPECT_PRED2(has, refusal("  pypi: {claims: [a]}\n"), "a key of overlays");
  EXPECT_PRED2(has, refusal("  all: {mode: overlay}\n"), "names its indexes");
  EXPECT_PRED2(has, refusal("  all: {overlay: [nobody]}\n"), "mirror.yaml:3:");
  EXPECT_PRED2(has, refusal("  pypi: {}\n  all: {overlay: [pypi, pypi]}\n"), "twice");
  EXPECT_PRED2(has, refusal("  all: {overlay: [all]}\n"), "an overlay itself");
  EXPECT_PRED2(has, refusal("  pypi: {}\n  all: {overlay: [pypi], upstream: pip}\n"), "no `upstream`");
  EXPECT_PRED2(has, refusal("  pypi: {}\n  all: {overlay: [pypi], deny: {osv: x}}\n"), "no `deny`");
  EXPECT_PRED2(has, refusal("  pypi: {}\n  all: {mode: sync, overlay: [pypi]}\n"), "is no overlay");
}

}  // namespace
}  // namespace dae::mirror
