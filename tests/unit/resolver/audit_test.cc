#include "resolver/audit/audit.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "resolver/audit/cvss.h"
#include "resolver/audit/feed.h"
#include "support/zip_writer.h"

namespace dae::resolver {
namespace {

std::vector<Advisory> parse(
    const std::string& json, const PackageFilter& wanted = [](std::string_view) { return true; }) {
  AdvisoryParser parser;
  std::vector<Advisory> out;
  parser.parse(json, "test.json", wanted, [&](Advisory advisory) { out.push_back(std::move(advisory)); });
  return out;
}

std::string record(const std::string& id, const std::string& affected, const std::string& more = "") {
  return R"({"id":")" + id + R"(","modified":"2026-01-01T00:00:00Z")" + more +
         R"(,"affected":[{"package":{"ecosystem":"PyPI","name":"Foo_Bar"},)" + affected + "}]}";
}
std::string range(const std::string& events) {
  return R"("ranges":[{"type":"ECOSYSTEM","events":[)" + events + "]}]";
}

bool affects(const std::string& json, const std::string& version) {
  return is_affected(parse(json).at(0).packages.at(0), Version::parse(version));
}

std::string error_of(const std::string& json) {
  try {
    parse(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    return error.what();
  }
  return "";
}

TEST(Cvss, ComputesTheBaseScoresOfTheSpecification) {
  EXPECT_EQ(cvss3_base_score("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), 9.8);
  EXPECT_EQ(cvss3_base_score("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"), 10.0);
  EXPECT_EQ(cvss3_base_score("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"), 6.1);
  EXPECT_EQ(cvss3_base_score("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:N/A:N"), 5.9);
  EXPECT_EQ(cvss3_base_score("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"), 7.8);
  EXPECT_EQ(cvss3_base_score("CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:N/I:L/A:N/E:P/RL:O"), 1.8);
  EXPECT_EQ(cvss3_base_score("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N"), 0.0);
}

TEST(Cvss, KnowsNoScoreOfBrokenVectorsAndOtherVersions) {
  EXPECT_FALSE(cvss3_base_score("CVSS:3.1/AV:N"));
  EXPECT_FALSE(cvss3_base_score("CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"));
  EXPECT_FALSE(cvss3_base_score("CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"));
  EXPECT_FALSE(cvss3_base_score("CVSS:4.0/AV:N/AC:L/AT:N/PR:H/UI:N/VC:L/VI:L/VA:N/SC:N/SI:N/SA:N"));
  EXPECT_FALSE(cvss3_base_score("9.8"));
}

TEST(Advisory, FollowsTheEventsOfARange) {
  const std::string two =
      record("A-1", range(R"({"introduced":"1.0"},{"fixed":"1.0.2"},{"introduced":"3.0.0"},{"fixed":"3.2.5"})"));
  for (const char* version : {"1.0", "1.0.1", "3.0", "3.2.5rc1", "3.2.4+cpu"}) EXPECT_TRUE(affects(two, version));
  for (const char* version : {"0.9", "1.0rc1", "1.0.2", "2.0", "3.2.5", "3.2.5+cpu"})
    EXPECT_FALSE(affects(two, version));
  EXPECT_TRUE(affects(record("A-1", range(R"({"introduced":"0"},{"last_affected":"1.0"})")), "1.0+cpu"));
  EXPECT_TRUE(affects(record("A-1", range(R"({"introduced":"0"})")), "0.dev0"));
}

TEST(Advisory, ComparesLocalLabelsWhereItNamesOne) {
  const std::string patched = record("A-1", range(R"({"introduced":"0"},{"fixed":"1.0+fix1"})"));
  EXPECT_TRUE(affects(patched, "1.0"));
  EXPECT_FALSE(affects(patched, "1.0+fix1"));
}

TEST(Advisory, IsAboutThePackagesThatAreWanted) {
  const std::string text = record("A-1", range(R"({"introduced":"0"})"));
  EXPECT_EQ(parse(text, [](std::string_view name) { return name == "foo-bar"; }).size(), 1u);
  EXPECT_TRUE(parse(text, [](std::string_view name) { return name == "foo"; }).empty());
  EXPECT_TRUE(parse(replace_all(text, "PyPI", "npm")).empty());
  EXPECT_EQ(parse(replace_all(text, "PyPI", "PyPI:https://x.invalid")).size(), 1u);
}

TEST(Advisory, RefusesWhatIsNone) {
  EXPECT_NE(error_of("{").find("invalid JSON"), std::string::npos);
  EXPECT_NE(error_of("[1]").find("no JSON object"), std::string::npos);
  EXPECT_NE(error_of("{}").find("no `id`"), std::string::npos);
  EXPECT_NE(error_of(R"({"id":"a b"})").find("not printable"), std::string::npos);
  EXPECT_NE(error_of(R"({"id":"A","schema_version":"2.0.0"})").find("version 2.0.0"), std::string::npos);
  EXPECT_NE(error_of(R"({"id":"A","affected":[1]})").find("no object"), std::string::npos);
  EXPECT_NE(error_of(record("A", range(R"({"fixed":"1"})"))).find("introduced"), std::string::npos);
  EXPECT_NE(error_of(record("A", R"("ranges":[{"type":"WHAT","events":[]}])")).find("WHAT"), std::string::npos);
  EXPECT_NE(error_of(record("A", R"("versions":[1])")).find("`versions` is no string"), std::string::npos);
  EXPECT_EQ(error_of(R"({"id":"A","schema_version":"1.9.0","news":{}})"), "");
}

TEST(Advisory, ReadsSeverityFromVectorsThenFromWords) {
  const std::string range_text = range(R"({"introduced":"0"})");
  const auto severity = [&](const std::string& more) { return parse(record("A", range_text, more)).at(0).severity; };
  const std::string v4 =
      R"({"type":"CVSS_V4","score":"CVSS:4.0/AV:N/AC:L/AT:N/PR:H/UI:N/VC:L/VI:L/VA:N/SC:N/SI:N/SA:N"})";
  EXPECT_EQ(severity(R"(,"severity":[)" + v4 +
                     R"(,{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}])")
                .rating,
            Severity::critical);
  const SeverityScore word = severity(R"(,"severity":[)" + v4 + R"(],"database_specific":{"severity":"MODERATE"})");
  EXPECT_EQ(word.rating, Severity::medium);
  EXPECT_FALSE(word.score);
  EXPECT_TRUE(word.vector.starts_with("CVSS:4.0/"));
  EXPECT_EQ(severity(R"(,"database_specific":{"severity":9})").rating, Severity::unknown);
}

TEST(Audit, NamesTheVersionsThatNoRecordHoldsFor) {
  Audit audit(std::vector<AuditPackage>{{"foo-bar", "1.5"}, {"own", ""}});
  for (Advisory& one :
       parse("[" +
             record("A-1", range(R"({"introduced":"0"},{"fixed":"1.6"},{"introduced":"1.6"},{"fixed":"1.8"})"),
                    R"(,"aliases":["CVE-1"])") +
             "," + record("B-1", range(R"({"introduced":"1"},{"fixed":"2.0"})"), R"(,"aliases":["CVE-1"])") + "]"))
    audit.add(std::move(one));
  const std::vector<Finding> found = audit.findings({}, 0);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].ids, (std::vector<std::string>{"A-1", "B-1"}));
  EXPECT_EQ(found[0].fixed_in, (std::vector<std::string>{"2.0"}));
  EXPECT_TRUE(audit.still_holds(found[0], "1.8"));
  EXPECT_FALSE(audit.still_holds(found[0], "2.1"));
  ASSERT_EQ(audit.unchecked().size(), 1u);
  EXPECT_EQ(audit.unchecked()[0].name, "own");
}

TEST(Audit, BelievesTheNewerOfTwoCopiesOfARecord) {
  const std::string old_copy = record("A-1", range(R"({"introduced":"0"})"));
  const std::string new_copy =
      replace_all(record("A-1", range(R"({"introduced":"0"})"), R"(,"withdrawn":"2026-02-01T00:00:00Z")"), "2026-01-01",
                  "2026-02-01");
  for (const bool newer_first : {true, false}) {
    Audit audit(std::vector<AuditPackage>{{"foo-bar", "1"}});
    audit.add(parse(newer_first ? new_copy : old_copy).at(0));
    audit.add(parse(newer_first ? old_copy : new_copy).at(0));
    EXPECT_TRUE(audit.findings({}, 0).empty());
  }
}

TEST(Audit, IgnoresUntilTheEndOfTheDay) {
  const AuditIgnore ignore{"A-1", "why", "2026-03-01", "here"};
  EXPECT_FALSE(is_expired(ignore, parse_utc("2026-03-01T23:59:59Z")));
  EXPECT_TRUE(is_expired(ignore, parse_utc("2026-03-02T00:00:00Z")));
  EXPECT_FALSE(is_expired({"A-1", "why", "", "here"}, INT64_MAX));
}

TEST(Feed, ReadsMembersOfAZipInTheOrderOfTheirNames) {
  const TempDir dir;
  std::vector<dae::testing::ZipMember> members = {{"README.txt", "no JSON"}};
  for (int i = 200; i > 0; --i) {
    const std::string id = "A-" + std::to_string(1000 + i);
    members.push_back({id + ".json", record(id, range(R"({"introduced":"0"})"))});
  }
  write_file_atomic(dir.path() / "all.zip", dae::testing::make_zip(members));
  std::vector<std::string> ids;
  const FeedOptions options{[](std::string_view) { return true; }};
  const FeedReport report = read_feed(dir.path() / "all.zip", "all.zip", options,
                                      [&](const Advisory& advisory) { ids.push_back(advisory.id); });
  EXPECT_EQ(report.records, 200u);
  EXPECT_EQ(ids.size(), 200u);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
}

TEST(Feed, NamesTheDocumentThatCannotBeRead) {
  const TempDir dir;
  make_dirs(dir.path() / "f/.git");
  write_file_atomic(dir.path() / "f/a.json", record("A-1", range(R"({"introduced":"0"})")));
  write_file_atomic(dir.path() / "f/.git/x.json", "{");
  write_file_atomic(dir.path() / "f/b.json", "{");
  FeedOptions options{[](std::string_view) { return true; }};
  try {
    read_feed(dir.path() / "f", "f", options, [](const Advisory&) {});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.subject(), "f: b.json");
  }
  options.keep_going = true;
  const FeedReport report = read_feed(dir.path() / "f", "f", options, [](const Advisory&) {});
  EXPECT_EQ(report.skipped.size(), 1u);
  EXPECT_EQ(report.of_python, 1u);
}

}  // namespace
}  // namespace dae::resolver
