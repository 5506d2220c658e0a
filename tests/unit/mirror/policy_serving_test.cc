// Policy as clients meet it: pages, their validators and lifetimes, and the URLs of files.
#include <gtest/gtest.h>

#include "base/hash.h"
#include "fixture.h"
#include "mirror/policy/allowances.h"

namespace dae::mirror {
namespace {

using testing::FakeIndex;
using testing::json_file;
using testing::json_page;
using testing::make_wheel;
using testing::TestMirror;

constexpr const char* kJson = "application/vnd.pypi.simple.v1+json";
constexpr int64_t kMinuteMs = 60'000, kDayMs = 24 * 60 * kMinuteMs;
const std::string kOld = "demo-1.0-py3-none-any.whl", kFresh = "demo-2.0-py3-none-any.whl";

int64_t max_age_s(const HttpResponse& page) {
  const std::string caching(page.headers.get("Cache-Control"));
  const size_t at = caching.find("max-age=");
  return at == std::string::npos ? -1 : std::stoll(caching.substr(at + 8));
}

// An index with two versions of `demo`: an old one, and one whose cool-down of a day ends in 20 minutes.
struct PolicyServing : ::testing::Test {
  PolicyServing() {
    upstream.set_file(kOld, old_wheel);
    upstream.set_file(kFresh, fresh_wheel);
    upstream.set_page(
        "demo",
        page_with(", \"upload-time\": \"" + format_utc(mirror.clock.wall_ms() - kDayMs + 20 * kMinuteMs) + "\""), kJson,
        "e1");
  }
  std::string page_with(const std::string& extra) {
    const auto file = [](const std::string& name, const std::string& wheel, const std::string& more) {
      return json_file(name, Digest::of(wheel).hex(), ", \"size\": " + std::to_string(wheel.size()) + more);
    };
    return json_page("demo", {file(kOld, old_wheel, ", \"upload-time\": \"2020-01-01T00:00:00Z\""),
                              file(kFresh, fresh_wheel, extra)});
  }
  static std::string path_of(const std::string& wheel, const std::string& name) {
    const std::string hex = Digest::of(wheel).hex();
    return "/packages/" + hex.substr(0, 2) + "/" + hex + "/" + name;
  }
  void restart_with(const std::function<void(PolicyRules&)>& set) {
    set(mirror.config.indexes[0].policy);
    mirror.restart();
  }
  HttpResponse page() { return mirror.get("/pypi/simple/demo/", {{"Accept", kJson}}); }
  // An answer that is given again from memory is made anew after a second.
  bool becomes(const std::string& path, int status) {
    for (int i = 0; i < 30; ++i) {
      if (mirror.get(path).status == status) return true;
      SystemClock().sleep_ms(100);
    }
    return false;
  }

  std::string old_wheel = make_wheel("demo", "1.0"), fresh_wheel = make_wheel("demo", "2.0");
  std::string old_path = path_of(old_wheel, kOld), fresh_path = path_of(fresh_wheel, kFresh);
  FakeIndex upstream;
  TestMirror mirror{upstream.simple_url()};
};

TEST_F(PolicyServing, AFileShowsExactlyWhenItsCoolDownEnds) {
  restart_with([](PolicyRules& rules) { rules.cooldown_uploaded_ms = kDayMs; });
  const HttpResponse before = page();
  EXPECT_EQ(before.body.find(kFresh), std::string::npos);
  EXPECT_NE(before.body.find(kOld), std::string::npos);
  EXPECT_EQ(before.body.find("\"2.0\""), std::string::npos);
  EXPECT_EQ(mirror.get("/pypi/simple/demo/").body.find(kFresh), std::string::npos);
  EXPECT_EQ(max_age_s(before), 600);

  mirror.clock.advance_ms(15 * kMinuteMs);
  const int64_t age_s = max_age_s(page());
  EXPECT_GT(age_s, 0);
  EXPECT_LE(age_s, 5 * 60);

  mirror.clock.advance_ms(5 * kMinuteMs - 1);
  const HttpResponse last = page();
  EXPECT_EQ(last.body.find(kFresh), std::string::npos);
  EXPECT_EQ(last.headers.get("ETag"), before.headers.get("ETag"));
  EXPECT_EQ(max_age_s(last), 0);

  mirror.clock.advance_ms(1);
  const HttpResponse after = page();
  EXPECT_NE(after.body.find(kFresh), std::string::npos);
  EXPECT_NE(after.body.find("\"2.0\""), std::string::npos);
  EXPECT_NE(after.headers.get("ETag"), before.headers.get("ETag"));
  EXPECT_EQ(max_age_s(after), 600);
  EXPECT_EQ(
      mirror.get("/pypi/simple/demo/", {{"Accept", kJson}, {"If-None-Match", std::string(before.headers.get("ETag"))}})
          .status,
      200);
}

TEST_F(PolicyServing, AnAnswerFromMemoryNeverPromisesMoreThanIsLeft) {
  restart_with([](PolicyRules& rules) { rules.cooldown_uploaded_ms = kDayMs; });
  for (int64_t left_ms = 20 * kMinuteMs; left_ms > 0; left_ms -= 45'000) {
    const HttpResponse one = page();
    EXPECT_LE(max_age_s(one) * 1000, left_ms);
    EXPECT_EQ(one.body.find(kFresh), std::string::npos);
    mirror.clock.advance_ms(45'000);
  }
}

TEST_F(PolicyServing, RefusesTheFileItselfAndItsMetadataUntilThen) {
  restart_with([](PolicyRules& rules) { rules.cooldown_uploaded_ms = kDayMs; });
  page();
  const HttpResponse refused = mirror.get(fresh_path);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.headers.get("Content-Type"), "application/problem+json");
  const Value problem = parse_json(refused.body, "problem").root;
  EXPECT_EQ(problem.get_string("rule"), "cooldown.uploaded");
  EXPECT_EQ(problem.get_string("until"), format_utc(mirror.clock.wall_ms() + 20 * kMinuteMs));
  EXPECT_EQ(mirror.get(fresh_path + ".metadata").status, 403);
  EXPECT_EQ(mirror.send("HEAD", fresh_path).status, 403);
  EXPECT_EQ(mirror.get(fresh_path, {{"Range", "bytes=0-9"}}).status, 403);
  EXPECT_EQ(upstream.files + upstream.metadata, 0);
  EXPECT_EQ(mirror.get(old_path).body, old_wheel);
  mirror.clock.advance_ms(20 * kMinuteMs);
  EXPECT_EQ(mirror.get(fresh_path).body, fresh_wheel);
  EXPECT_EQ(mirror.get(fresh_path + ".metadata").status, 200);
}

TEST_F(PolicyServing, RefusesWhatIsStoredAlready) {
  page();
  EXPECT_EQ(mirror.get(fresh_path).status, 200);
  restart_with([](PolicyRules& rules) { rules.cooldown_uploaded_ms = kDayMs; });
  EXPECT_EQ(mirror.get(fresh_path).status, 403);
}

TEST_F(PolicyServing, CountsFromWhenItSawTheFileFirst) {
  restart_with([](PolicyRules& rules) { rules.cooldown_first_seen_ms = kDayMs; });
  upstream.set_page("demo", json_page("demo", {json_file(kOld, Digest::of(old_wheel).hex())}), kJson, "e2");
  page();
  mirror.clock.advance_ms(2 * kDayMs);
  // Whatever the upstream says of its age.
  upstream.set_page("demo", page_with(", \"upload-time\": \"2020-01-01T00:00:00Z\""), kJson, "e3");
  EXPECT_EQ(page().body.find(kFresh), std::string::npos);
  EXPECT_EQ(parse_json(mirror.get(fresh_path).body, "problem").root.get_string("rule"), "cooldown.first_seen");
  mirror.clock.advance_ms(kDayMs);
  EXPECT_NE(page().body.find(kFresh), std::string::npos);
}

TEST_F(PolicyServing, OtherBytesUnderAKnownNameAreSeenForTheFirstTime) {
  restart_with([](PolicyRules& rules) { rules.cooldown_first_seen_ms = kDayMs; });
  page();
  mirror.clock.advance_ms(2 * kDayMs);
  EXPECT_NE(page().body.find(kOld), std::string::npos);
  upstream.set_page("demo", json_page("demo", {json_file(kOld, Digest::of(fresh_wheel).hex())}), kJson, "e9");
  mirror.clock.advance_ms(11 * kMinuteMs);
  EXPECT_EQ(page().body.find(kOld), std::string::npos);
}

TEST_F(PolicyServing, BreakGlassLetsOneVersionThroughUntilItsTimeIsOver) {
  restart_with([](PolicyRules& rules) { rules.cooldown_uploaded_ms = 10 * kDayMs; });
  EXPECT_EQ(page().body.find(kFresh), std::string::npos);
  // As `dae mirror allow` does it, in a process of its own.
  Catalog catalog(mirror.config.storage / "catalog.db");
  AllowRequest request{"pypi", "demo", {"2.0", mirror.clock.wall_ms() + kDayMs, {}}, "somebody", "fixes the outage"};
  allow(catalog, request, mirror.clock.wall_ms());
  EXPECT_TRUE(becomes(fresh_path, 200));
  EXPECT_NE(page().body.find(kFresh), std::string::npos);
  const auto audit = read_audit(catalog, "pypi", 10);
  ASSERT_EQ(audit.size(), 1u);
  EXPECT_EQ(audit[0].who, "somebody");
  EXPECT_EQ(audit[0].action, "allow");
  EXPECT_EQ(audit[0].subject, "demo==2.0");
  EXPECT_EQ(audit[0].reason, "fixes the outage");
  mirror.clock.advance_ms(kDayMs);
  EXPECT_EQ(mirror.get(fresh_path).status, 403);
  EXPECT_EQ(page().body.find(kFresh), std::string::npos);
}

TEST_F(PolicyServing, TakesBackWhatWasAllowed) {
  restart_with([](PolicyRules& rules) { rules.cooldown_uploaded_ms = 10 * kDayMs; });
  Catalog catalog(mirror.config.storage / "catalog.db");
  AllowRequest request{"pypi", "demo", {"2.0", kNever, {}}, "somebody", "fixes the outage"};
  allow(catalog, request, 1);
  page();
  EXPECT_EQ(mirror.get(fresh_path).status, 200);
  request.reason = "it did not";
  revoke(catalog, request, 2);
  EXPECT_TRUE(becomes(fresh_path, 403));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(mirror.get(fresh_path).status, 403);  // not every other one from memory
  EXPECT_THROW(revoke(catalog, request, 3), Error);
  EXPECT_EQ(read_audit(catalog, "", 10).size(), 2u);
  EXPECT_THROW(catalog.write([](Database& db) { db.execute("DELETE FROM audit"); }), Error);
  request.reason = " ";
  EXPECT_THROW(allow(catalog, request, 4), Error);
}

std::string malware(const std::string& affected, const std::string& more = "") {
  return R"({"schema_version":"1.6.0","id":"MAL-2026-7","modified":"2026-01-01T00:00:00Z","summary":"steals tokens",)" +
         more + R"("affected":[{"package":{"ecosystem":"PyPI","name":"Demo"},)" + affected + "}]}";
}

TEST_F(PolicyServing, FollowsAnAdvisoryThatComesWhileItRuns) {
  const Path feed = mirror.dir.path() / "feed";
  make_dirs(feed);
  restart_with([&](PolicyRules& rules) { rules.deny_osv = {feed}; });
  page();
  EXPECT_EQ(mirror.get(fresh_path).body, fresh_wheel);
  write_file_atomic(feed / "MAL-2026-7.json", malware(R"("versions":["2.0"])"));
  mirror.clock.advance_ms(5'000);
  EXPECT_TRUE(becomes(fresh_path, 403));
  const Value problem = parse_json(mirror.get(fresh_path).body, "problem").root;
  EXPECT_EQ(problem.get_string("rule"), "deny.osv");
  EXPECT_NE(problem.get_string("detail").find("MAL-2026-7"), std::string::npos);
  SystemClock().sleep_ms(1'100);
  EXPECT_EQ(page().body.find(kFresh), std::string::npos);
  EXPECT_NE(page().body.find(kOld), std::string::npos);

  // One that cannot be read takes nothing back.
  write_file_atomic(feed / "MAL-2026-7.json", "{half");
  mirror.clock.advance_ms(5'000);
  EXPECT_EQ(mirror.get(fresh_path).status, 403);
  write_file_atomic(feed / "MAL-2026-7.json",
                    malware(R"("versions":["2.0"])", R"("withdrawn":"2026-01-02T00:00:00Z",)"));
  mirror.clock.advance_ms(5'000);
  EXPECT_EQ(mirror.get(fresh_path).status, 200);
}

TEST_F(PolicyServing, DeniesByRanges) {
  const Path feed = mirror.dir.path() / "mal.json";
  write_file_atomic(feed, malware(R"("ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.5"}]}])"));
  restart_with([&](PolicyRules& rules) { rules.deny_osv = {feed}; });
  page();
  EXPECT_EQ(mirror.get(old_path).status, 403);
  EXPECT_EQ(mirror.get(fresh_path).status, 200);
}

TEST_F(PolicyServing, DoesNotStartWithADenyListThatCannotBeRead) {
  EXPECT_THROW(restart_with([&](PolicyRules& rules) { rules.deny_osv = {mirror.dir.path() / "absent"}; }), Error);
}

}  // namespace
}  // namespace dae::mirror
