#include "mirror/index/snapshots.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "fixture.h"
#include "mirror/index/promotion.h"

namespace dae::mirror {
namespace {

constexpr const char* kSimpleJson = "application/vnd.pypi.simple.v1+json";
constexpr int64_t kNow = 1'790'000'000'000;

ProjectDocument document_of(const std::string& project, const std::vector<std::string>& versions) {
  ProjectDocument out;
  out.page.name = project;
  for (const std::string& version : versions) {
    resolver::IndexFile file;
    file.name = project + "-" + version + "-py3-none-any.whl";
    file.sha256 = Digest::of(file.name).hex();
    file.url = "https://files.example/" + file.name;
    out.page.files.push_back(std::move(file));
  }
  return out;
}

struct History : ::testing::Test {
  int64_t put(const std::string& index, const std::string& project, const std::vector<std::string>& versions,
              int64_t now_ms = kNow) {
    return pages.apply(index, {{project, document_of(project, versions), 0}}, now_ms, "test");
  }
  size_t files_at(const std::string& index, const std::string& project, int64_t revision) {
    const auto found = pages.document_at(index, project, revision);
    return found ? found->page.files.size() : 0;
  }
  int64_t rows(const std::string& table) {
    return catalog.read([&](Database& db) {
      Statement row = db.prepare("SELECT count(*) FROM " + table);
      row.step();
      return row.integer(0);
    });
  }
  bool is_found(const std::string& file) { return !pages.find_file(Digest::of(file), file).empty(); }

  TempDir dir;
  Catalog catalog{dir.path() / "catalog.db"};
  PageStore pages{catalog};
  Snapshots snapshots{catalog};
};

TEST_F(History, CountsProjectsAndFilesOfEachIndex) {
  put("pypi", "demo", {"1", "2"});
  put("pypi", "other", {"1"});
  put("team", "demo", {"1"});
  put("empty", "demo", {"1"});
  pages.apply("empty", {{"demo", std::nullopt, 0}}, kNow, "test");
  const auto counts = pages.counts();
  ASSERT_EQ(counts.size(), 2u);
  EXPECT_EQ(std::tie(counts[0].index, counts[0].projects, counts[0].files), std::tuple("pypi", 2, 3));
  EXPECT_EQ(std::tie(counts[1].index, counts[1].projects, counts[1].files), std::tuple("team", 1, 1));
}

TEST_F(History, TellsWhatWasListedAtEachRevision) {
  EXPECT_EQ(put("pypi", "demo", {"1"}), 1);
  EXPECT_EQ(put("pypi", "other", {"1"}), 2);
  EXPECT_EQ(put("pypi", "demo", {"1", "2"}), 3);
  EXPECT_EQ(pages.apply("pypi", {{"demo", std::nullopt, 0}}, kNow, "test"), 4);
  EXPECT_EQ(files_at("pypi", "demo", 0), 0u);
  EXPECT_EQ(files_at("pypi", "demo", 2), 1u);
  EXPECT_EQ(files_at("pypi", "demo", 3), 2u);
  EXPECT_EQ(files_at("pypi", "demo", 4), 0u);
  EXPECT_EQ(pages.names_at("pypi", 3), (std::vector<std::string>{"demo", "other"}));
  EXPECT_EQ(pages.names("pypi"), std::vector<std::string>{"other"});
}

TEST_F(History, MakesNoRevisionOfWhatDoesNotChange) {
  put("pypi", "demo", {"1"});
  EXPECT_EQ(put("pypi", "demo", {"1"}, kNow + 1000), 1);
  EXPECT_EQ(rows("documents"), 1);
  EXPECT_EQ(rows("entries"), 1);
}

TEST_F(History, RemembersWhenAFileWasSeenFirst) {
  put("pypi", "demo", {"1"});
  put("pypi", "demo", {"1", "2"}, kNow + 5000);
  const auto seen = pages.document("pypi", "demo")->first_seen_ms;
  EXPECT_EQ(seen.at("demo-1-py3-none-any.whl"), kNow);
  EXPECT_EQ(seen.at("demo-2-py3-none-any.whl"), kNow + 5000);
}

TEST_F(History, SnapshotCopiesNothingAndKeepsItsFiles) {
  put("pypi", "demo", {"1", "2"});
  const int64_t before = rows("entries") + rows("documents") + rows("places");
  const Snapshot made = snapshots.make("pypi", "release", "", kNow);
  EXPECT_EQ(rows("entries") + rows("documents") + rows("places"), before);
  put("pypi", "demo", {"2"});
  put("pypi", "demo", {"3"});
  EXPECT_EQ(files_at("pypi", "demo", made.revision), 2u);
  EXPECT_TRUE(is_found("demo-1-py3-none-any.whl"));
  EXPECT_TRUE(is_found("demo-2-py3-none-any.whl"));
  EXPECT_TRUE(is_found("demo-3-py3-none-any.whl"));
  EXPECT_TRUE(snapshots.remove("release"));
  EXPECT_FALSE(is_found("demo-1-py3-none-any.whl"));
}

TEST_F(History, WhatNoSnapshotListsIsGoneWithThePage) {
  put("pypi", "demo", {"1"});
  put("pypi", "demo", {"2"});
  snapshots.make("pypi", "late", "", kNow);
  EXPECT_FALSE(is_found("demo-1-py3-none-any.whl"));
}

TEST_F(History, SnapshotsDoNotChange) {
  put("pypi", "demo", {"1"});
  snapshots.make("pypi", "one", "", kNow);
  EXPECT_THROW(snapshots.make("pypi", "one", "", kNow), Error);
  EXPECT_THROW(snapshots.make("pypi", "../one", "", kNow), Error);
  EXPECT_THROW(snapshots.make("nothing", "two", "", kNow), Error);
  EXPECT_EQ(snapshots.make("pypi", "", "", kNow).id, "pypi-20260921T141320Z");
}

TEST_F(History, PromotionCarriesTheSameDocuments) {
  put("candidate", "demo", {"1", "2"});
  put("candidate", "other", {"1"});
  put("release", "demo", {"1"});
  put("release", "old", {"1"});
  const Promotion all = plan_promotion(pages, "candidate", pages.revision("candidate"), "release", {});
  EXPECT_EQ(all.added, std::vector<std::string>{"other"});
  EXPECT_EQ(all.changed, std::vector<std::string>{"demo"});
  EXPECT_EQ(all.removed, std::vector<std::string>{"old"});
  pages.apply("release", all.changes, kNow + 9000, "promoted");
  EXPECT_EQ(pages.find("release", "demo")->document, pages.find("candidate", "demo")->document);
  EXPECT_TRUE(plan_promotion(pages, "candidate", pages.revision("candidate"), "release", {}).changes.empty());
}

TEST_F(History, PromotesWhatThePolicyOffersAndNothingElse) {
  put("candidate", "demo", {"1"});
  put("candidate", "demo", {"1", "2"}, kNow + 5000);
  put("candidate", "ours", {"1"});
  put("release", "demo", {"1"});
  IndexConfig candidate{.name = "candidate"}, release{.name = "release"}, all{.name = "all"};
  candidate.policy.cooldown_first_seen_ms = 5000;
  release.mode = "private";
  all.mode = "overlay";
  all.overlay = {{"release", "candidate"}, {"ours"}, {}};
  ManualClock clock(kNow + 9999);
  Policies policies({candidate, release, all}, catalog, pages, clock);
  const auto plan = [&] {
    return plan_promotion(pages, "candidate", pages.revision("candidate"), "release", {}, &policies);
  };
  const Promotion early = plan();
  EXPECT_TRUE(early.changes.empty());
  ASSERT_EQ(early.held_back.size(), 2u);
  EXPECT_NE(early.held_back[0].find("demo-2"), std::string::npos);
  EXPECT_NE(early.held_back[1].find("claimed"), std::string::npos);
  clock.advance_ms(1);
  EXPECT_EQ(plan().changed, std::vector<std::string>{"demo"});
  pages.apply("release", plan().changes, kNow + 10'000, "promoted");
  EXPECT_EQ(pages.find("release", "demo")->document, pages.find("candidate", "demo")->document);
}

TEST_F(History, PromotesNamedProjectsAlone) {
  put("candidate", "demo", {"1"});
  put("candidate", "other", {"1"});
  put("release", "old", {"1"});
  const Promotion one = plan_promotion(pages, "candidate", pages.revision("candidate"), "release", {"demo"});
  EXPECT_EQ(one.added, std::vector<std::string>{"demo"});
  EXPECT_TRUE(one.removed.empty());
  EXPECT_THROW(plan_promotion(pages, "candidate", 2, "release", {"missing"}), Error);
}

TEST_F(History, ListsNothingWhoseBytesAreNotThere) {
  put("candidate", "demo", {"1"});
  const Promotion all = plan_promotion(pages, "candidate", 1, "release", {});
  const auto blobs = open_blob_store(dir.path() / "blobs");
  NullSink events;
  EXPECT_THROW(fetch_missing(all, nullptr, *blobs, events), Error);
}

TEST_F(History, GoesBackToASnapshot) {
  put("release", "demo", {"1"});
  snapshots.make("release", "good", "", kNow);
  put("release", "demo", {"2"});
  const Promotion back = plan_promotion(pages, "release", snapshots.find("good")->revision, "release", {});
  pages.apply("release", back.changes, kNow, "back");
  EXPECT_EQ(files_at("release", "demo", pages.revision("release")), 1u);
  EXPECT_EQ(pages.document("release", "demo")->page.files[0].name, "demo-1-py3-none-any.whl");
}

TEST(ServedSnapshot, ListsAndServesWhatUpstreamHasTakenAway) {
  const std::string name = "demo-1.0-py3-none-any.whl", wheel = testing::make_wheel("demo", "1.0");
  const std::string sha256 = Digest::of(wheel).hex();
  const std::string path = "/packages/" + sha256.substr(0, 2) + "/" + sha256 + "/" + name;
  testing::FakeIndex upstream;
  upstream.set_file(name, wheel);
  upstream.set_page("demo", testing::json_page("demo", {testing::json_file(name, sha256)}), kSimpleJson);
  testing::TestMirror mirror(upstream.simple_url());
  EXPECT_EQ(mirror.get("/pypi/simple/demo/").status, 200);
  EXPECT_EQ(mirror.get("/snapshots/friday/simple/demo/").status, 404);

  // As the command does it, beside the mirror.
  Catalog beside(mirror.config.storage / "catalog.db");
  Snapshots(beside).make("pypi", "friday", "", mirror.clock.wall_ms());
  upstream.set_page("demo", testing::json_page("demo", {}), kSimpleJson);
  mirror.clock.advance_ms(86'400'000);
  EXPECT_EQ(mirror.get("/pypi/simple/demo/").body.find(name), std::string::npos);

  const HttpResponse page = mirror.get("/snapshots/friday/simple/demo/", {{"Accept", kSimpleJson}});
  ASSERT_EQ(page.status, 200);
  const Document listed = parse_json(page.body, "page");
  ASSERT_EQ(listed.root.at("files").size(), 1u);
  EXPECT_EQ(resolve_url("http://host/snapshots/friday/simple/demo/",
                        listed.root.at("files").as_array()[0].at("url").as_string()),
            "http://host" + path);
  EXPECT_EQ(mirror.get(path).body, wheel);
  EXPECT_NE(mirror.get("/snapshots/friday/simple/").body.find("demo"), std::string::npos);
  EXPECT_EQ(mirror.get("/snapshots/friday/simple/other/").status, 404);
  EXPECT_EQ(mirror.get("/snapshots/friday/simple/Demo/").status, 301);
}

}  // namespace
}  // namespace dae::mirror
