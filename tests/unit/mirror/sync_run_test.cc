#include <gtest/gtest.h>

#include "base/error.h"
#include "base/hash.h"
#include "mirror/care/runs.h"
#include "sync_fixture.h"

namespace dae::mirror {
namespace {

using sync::SyncOptions;
using sync::SyncReport;
using testing::make_wheel;
using testing::SyncBench;
using testing::SyncUpstream;
using testing::wheel_name;

using Names = std::vector<std::string>;

struct Sync : ::testing::Test {
  Sync() {
    upstream.set_wheels("alpha", {"1.0", "1.1"});
    upstream.set_wheels("beta", {"2.0"});
  }
  SyncUpstream upstream;
  SyncBench bench{upstream};
};

TEST_F(Sync, BringsAllThatTheUpstreamLists) {
  const SyncReport report = bench.run();
  EXPECT_EQ(report.new_projects, 2u);
  EXPECT_EQ(report.files, 3u);
  EXPECT_TRUE(report.by_serials);
  EXPECT_TRUE(report.failures.empty());
  EXPECT_EQ(bench.projects(), (Names{"alpha", "beta"}));
  EXPECT_EQ(bench.listed("alpha"), (Names{wheel_name("alpha", "1.0"), wheel_name("alpha", "1.1")}));
  bench.expect_whole();
  EXPECT_EQ(upstream.metadata, 0);  // it was in the wheels
}

TEST_F(Sync, FetchesNothingWhenNothingChanged) {
  bench.run();
  const int pages = upstream.pages, files = upstream.files;
  const SyncReport report = bench.run();
  EXPECT_EQ(report.unchanged, 2u);
  EXPECT_EQ(report.new_projects + report.changed + report.removed, 0u);
  EXPECT_EQ(upstream.pages, pages);
  EXPECT_EQ(upstream.files, files);
  EXPECT_EQ(upstream.lists, 2);
}

TEST_F(Sync, FetchesOnlyWhatChanged) {
  bench.run();
  upstream.set_wheels("alpha", {"1.1", "1.2"});
  upstream.set_wheels("gamma", {"1"});
  const int pages = upstream.pages;
  const SyncReport report = bench.run();
  EXPECT_EQ(report.changed, 1u);
  EXPECT_EQ(report.new_projects, 1u);
  EXPECT_EQ(report.files, 2u);
  EXPECT_EQ(report.gone, 1u);
  EXPECT_EQ(upstream.pages, pages + 2);
  EXPECT_EQ(bench.listed("alpha"), (Names{wheel_name("alpha", "1.1"), wheel_name("alpha", "1.2")}));
  bench.expect_whole();
}

TEST_F(Sync, PlansWithoutChangingAnything) {
  SyncOptions plan;
  plan.plan_only = true;
  const SyncReport report = bench.run(plan);
  EXPECT_EQ(report.new_projects, 2u);
  EXPECT_EQ(report.files, 3u);
  EXPECT_EQ(report.bytes, make_wheel("alpha", "1.0").size() * 2 + make_wheel("beta", "2.0").size());
  EXPECT_EQ(upstream.files, 0);
  EXPECT_TRUE(bench.projects().empty());
  EXPECT_NE(render(report).find("would sync"), std::string::npos);
}

TEST_F(Sync, NamesEveryProjectInItsReportOrOnlyCountsThem) {
  SyncOptions only_counts;
  only_counts.list_projects = false;
  const SyncReport report = bench.run(only_counts);
  EXPECT_EQ(report.new_projects, 2u);
  EXPECT_TRUE(report.projects.empty());
  upstream.remove("beta");
  const SyncReport named = bench.run();
  ASSERT_EQ(named.projects.size(), 1u);
  EXPECT_EQ(named.projects[0].project, "beta");
  EXPECT_EQ(to_value(named).at("projects").size(), 1u);
  EXPECT_EQ(counts_of(named).find("projects"), nullptr);
}

TEST_F(Sync, RemovesWhatTheUpstreamRemovedAndKeepsTheBytes) {
  bench.run();
  const Digest digest = Digest::of(make_wheel("beta", "2.0"));
  upstream.remove("beta");
  const SyncReport report = bench.run();
  EXPECT_EQ(report.removed, 1u);
  EXPECT_EQ(bench.projects(), (Names{"alpha"}));
  EXPECT_TRUE(open_blob_store(bench.config.storage / "blobs")->has(digest));
}

TEST_F(Sync, HidesTheFilesOfAQuarantinedProject) {
  bench.run();
  upstream.set_files("beta", {}, "quarantined");
  const SyncReport report = bench.run();
  EXPECT_EQ(report.gone, 1u);
  EXPECT_TRUE(bench.listed("beta").empty());
  Catalog catalog(bench.config.storage / "catalog.db");
  EXPECT_EQ(PageStore(catalog).document("pypi", "beta")->page.status, "quarantined");
}

TEST_F(Sync, FollowsAYankOfAFileThatItHas) {
  bench.run();
  const std::string wheel = make_wheel("beta", "2.0");
  upstream.set_files("beta", {{wheel_name("beta", "2.0"), wheel, ",\"yanked\":\"broken\"", "", true}});
  EXPECT_EQ(bench.run().changed, 1u);
  Catalog catalog(bench.config.storage / "catalog.db");
  EXPECT_EQ(PageStore(catalog).document("pypi", "beta")->page.files[0].yanked_reason, "broken");
  EXPECT_EQ(upstream.files, 3);
}

TEST_F(Sync, AsksAStalePageAgain) {
  upstream.stale_pages = 3;
  const int64_t before_ms = bench.clock.monotonic_ms();
  const SyncReport report = bench.run();
  EXPECT_TRUE(report.failures.empty());
  EXPECT_EQ(bench.projects(), (Names{"alpha", "beta"}));
  EXPECT_GE(bench.clock.monotonic_ms() - before_ms, 1000);
}

TEST_F(Sync, ReportsAPageThatStaysStaleAndTriesItTheNextTime) {
  bench.run();
  upstream.set_wheels("beta", {"2.0", "2.1"});
  upstream.stale_pages = 4;
  const int64_t before_ms = bench.clock.monotonic_ms();
  const SyncReport report = bench.run();
  EXPECT_GE(bench.clock.monotonic_ms() - before_ms, 7000);
  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_NE(report.failures[0].why.find("older than its list"), std::string::npos);
  EXPECT_EQ(bench.listed("beta"), (Names{wheel_name("beta", "2.0")}));
  EXPECT_TRUE(bench.run().failures.empty());
  EXPECT_EQ(bench.listed("beta").size(), 2u);
}

TEST_F(Sync, NeverStoresNorListsAFileWithAWrongHash) {
  const std::string announced(64, 'a');
  upstream.set_files("beta", {{wheel_name("beta", "2.0"), make_wheel("beta", "2.0"), "", announced, true}});
  const SyncReport report = bench.run();
  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(report.failures[0].file, wheel_name("beta", "2.0"));
  EXPECT_EQ(bench.projects(), (Names{"alpha"}));
  const auto blobs = open_blob_store(bench.config.storage / "blobs");
  EXPECT_FALSE(blobs->has(Digest::parse(announced)));
  EXPECT_FALSE(blobs->has(Digest::of(make_wheel("beta", "2.0"))));
  EXPECT_FALSE(exists(blobs->part(Digest::parse(announced))));
}

TEST_F(Sync, FollowsRemovalsEvenWhereANewFileCannotBeHad) {
  upstream.set_wheels("beta", {"2.0", "2.1"});
  bench.run();
  upstream.set_wheels("beta", {"2.1", "2.2"});
  upstream.set_down_file(wheel_name("beta", "2.2"));
  EXPECT_EQ(bench.run().failures.size(), 1u);
  EXPECT_EQ(bench.listed("beta"), (Names{wheel_name("beta", "2.1")}));
  upstream.set_down_file("");
  EXPECT_TRUE(bench.run().failures.empty());
  EXPECT_EQ(bench.listed("beta"), (Names{wheel_name("beta", "2.1"), wheel_name("beta", "2.2")}));
}

TEST_F(Sync, ComparesPageByPageWhereThereAreNoSerials) {
  upstream.serials = false;
  EXPECT_FALSE(bench.run().by_serials);
  const int pages = upstream.pages;
  EXPECT_EQ(bench.run().unchanged, 2u);
  EXPECT_EQ(upstream.pages, pages);
  EXPECT_EQ(upstream.not_modified, 2);
  upstream.set_wheels("beta", {"2.0", "2.1"});
  EXPECT_EQ(bench.run().changed, 1u);
}

TEST_F(Sync, LearnsSizesAndMetadataFromAnUpstreamThatTellsNone) {
  upstream.html = true;
  EXPECT_EQ(bench.run().new_projects, 2u);
  EXPECT_EQ(bench.run().unchanged, 2u);
  Catalog catalog(bench.config.storage / "catalog.db");
  const auto document = PageStore(catalog).document("pypi", "beta");
  EXPECT_EQ(document->page.files[0].size_bytes, make_wheel("beta", "2.0").size());
  EXPECT_EQ(document->page.files[0].metadata_sha256, Digest::of(testing::metadata_text("beta", "2.0")).hex());
  EXPECT_EQ(upstream.files, 3);
}

TEST_F(Sync, NeverFetchesTheListWhenEveryNameIsTold) {
  bench.set_keys("    include: [Beta, missing]\n");
  const SyncReport report = bench.run();
  EXPECT_EQ(report.new_projects, 1u);
  EXPECT_TRUE(report.failures.empty());
  EXPECT_EQ(upstream.lists, 0);
  EXPECT_EQ(bench.run().unchanged, 1u);
  EXPECT_EQ(upstream.not_modified, 1);
  upstream.remove("beta");
  EXPECT_EQ(bench.run().removed, 1u);
}

TEST_F(Sync, DecidesAnewWhenTheRulesChange) {
  bench.run();
  bench.set_keys("    latest: 1\n");
  EXPECT_EQ(bench.run().gone, 1u);
  EXPECT_EQ(bench.listed("alpha"), (Names{wheel_name("alpha", "1.1")}));
  bench.set_keys("    exclude: beta\n");
  const SyncReport report = bench.run();
  EXPECT_EQ(report.removed, 1u);
  EXPECT_EQ(bench.listed("alpha").size(), 2u);
  EXPECT_EQ(upstream.files, 3);  // the bytes were still there
}

TEST_F(Sync, DecidesAnewEvenWhenOtherRulesWereTriedInBetweenAndStopped) {
  bench.run();
  bench.set_keys("    latest: 1\n    parallel: 1\n");
  SyncOptions stop;
  int asked = 0;
  stop.stop_requested = [&] { return ++asked > 1; };
  EXPECT_TRUE(bench.run(stop).interrupted);
  bench.set_keys("");
  bench.run();
  EXPECT_EQ(bench.listed("alpha").size(), 2u);
  EXPECT_EQ(bench.listed("beta").size(), 1u);
}

TEST_F(Sync, DropsWhatBecomesTooOldWithoutAChangeUpstream) {
  const std::string uploaded = ",\"upload-time\":\"" + format_utc(bench.clock.wall_ms()) + "\"";
  upstream.set_files("beta", {{wheel_name("beta", "2.0"), make_wheel("beta", "2.0"), uploaded, "", true}});
  bench.set_keys("    max_age: 10d\n");
  bench.run();
  EXPECT_EQ(bench.listed("beta").size(), 1u);
  bench.clock.advance_ms(11 * 86'400'000ll);
  const int pages = upstream.pages;
  EXPECT_EQ(bench.run().gone, 1u);
  EXPECT_TRUE(bench.listed("beta").empty());
  EXPECT_EQ(upstream.pages, pages);
}

TEST_F(Sync, MeasuresFilesOfUnknownSizeByFetchingThem) {
  upstream.set_files("beta", {{wheel_name("beta", "2.0"), std::string(5000, 'x'), "", "", false},
                              {wheel_name("beta", "2.1"), make_wheel("beta", "2.1"), "", "", false}});
  bench.set_keys("    max_size: 4000\n");
  const SyncReport report = bench.run();
  EXPECT_TRUE(report.failures.empty());
  EXPECT_EQ(bench.listed("beta"), (Names{wheel_name("beta", "2.1")}));
}

TEST_F(Sync, LeavesFilesToTheirFirstRequestOnDemand) {
  bench.set_keys("    files: on-demand\n");
  EXPECT_EQ(bench.run().new_projects, 2u);
  EXPECT_EQ(upstream.files, 0);
  EXPECT_EQ(bench.listed("alpha").size(), 2u);
  bench.set_keys("    files: all\n");
  EXPECT_EQ(bench.run().files, 3u);
  bench.expect_whole();
}

TEST_F(Sync, RefusesToRemoveMostOfWhatItHas) {
  for (int i = 0; i < 20; ++i) upstream.set_wheels("p" + std::to_string(i), {"1"});
  bench.run();
  for (int i = 0; i < 20; ++i) upstream.remove("p" + std::to_string(i));
  EXPECT_THROW(bench.run(), Error);
  EXPECT_EQ(bench.projects().size(), 22u);
  {
    Catalog catalog(bench.config.storage / "catalog.db");
    const RunRow last = last_runs(catalog).at(0);
    EXPECT_EQ(last.kind, "sync");
    EXPECT_NE(last.result.find("failed: upstream does not list 20 of the 22"), std::string::npos) << last.result;
  }
  SyncOptions accept;
  accept.accept_removals = true;
  EXPECT_EQ(bench.run(accept).removed, 20u);
}

TEST_F(Sync, FetchesAFileThatTwoProjectsShareOnce) {
  const std::string shared = make_wheel("shared", "1");
  upstream.set_files("one", {{wheel_name("one", "1"), shared, "", "", true}});
  upstream.set_files("two", {{wheel_name("two", "1"), shared, "", "", true}});
  const SyncReport report = bench.run();
  EXPECT_TRUE(report.failures.empty());
  EXPECT_EQ(upstream.files, 4);
  bench.expect_whole();
}

TEST_F(Sync, BringsTheProvenanceThatUpstreamHas) {
  const std::string first = wheel_name("beta", "2.0"), second = wheel_name("beta", "2.1");
  const std::string provenance = R"({"version":1,"attestation_bundles":[]})";
  upstream.set_bytes(first + ".provenance", provenance);
  const auto extra = [](const std::string& name) { return ",\"provenance\":\"../../files/" + name + ".provenance\""; };
  upstream.set_files("beta", {{first, make_wheel("beta", "2.0"), extra(first), "", true},
                              {second, make_wheel("beta", "2.1"), extra(second), "", true}});
  EXPECT_TRUE(bench.run().failures.empty());
  Catalog catalog(bench.config.storage / "catalog.db");
  const auto document = PageStore(catalog).document("pypi", "beta");
  EXPECT_FALSE(document->page.files[0].provenance.empty());
  EXPECT_TRUE(document->page.files[1].provenance.empty());  // announced, and not there
  const std::string stored = catalog.read([&](Database& db) {
    Statement row = db.prepare("SELECT sha256 FROM provenance WHERE name = ?");
    return row.bind(1, first).step() ? row.text(0) : "";
  });
  EXPECT_EQ(stored, Digest::of(provenance).hex());
  EXPECT_TRUE(open_blob_store(bench.config.storage / "blobs")->verify(Digest::of(provenance)));
}

TEST_F(Sync, KeepsToTheRateOfRequests) {
  bench.set_keys("    rate: 2\n    parallel: 1\n");
  const int64_t before_ms = bench.clock.monotonic_ms();
  EXPECT_TRUE(bench.run().failures.empty());
  // 2 pages and 3 files.
  EXPECT_GE(bench.clock.monotonic_ms() - before_ms, 1900);
  EXPECT_LE(bench.clock.monotonic_ms() - before_ms, 2700);
}

TEST_F(Sync, StopsWhenAskedToAndGoesOnWithTheNext) {
  SyncOptions stop;
  int asked = 0;
  bench.set_keys("    parallel: 1\n");
  stop.stop_requested = [&] { return ++asked > 2; };
  EXPECT_TRUE(bench.run(stop).interrupted);
  const SyncReport report = bench.run();
  EXPECT_FALSE(report.interrupted);
  EXPECT_EQ(bench.projects(), (Names{"alpha", "beta"}));
  bench.expect_whole();
}

TEST_F(Sync, RefusesASecondSyncOfTheSameIndex) {
  SyncOptions nested;
  std::string refusal;
  nested.on_step = [&](const char*) {
    try {
      bench.run();
    } catch (const Error& error) {
      refusal = error.what();
    }
  };
  bench.run(nested);
  EXPECT_NE(refusal.find("running already"), std::string::npos);
}

TEST_F(Sync, ExplainsWhatItKeepsAndDrops) {
  bench.run();
  bench.set_keys("    latest: 1\n");
  const sync::Explanation explanation = sync::explain_project(bench.config, bench.config.indexes[0], "Alpha",
                                                              *bench.transport, *bench.runner, bench.clock);
  ASSERT_EQ(explanation.files.size(), 2u);
  EXPECT_EQ(explanation.files[0].rule, "latest");
  EXPECT_TRUE(explanation.files[0].listed_here);
  EXPECT_EQ(explanation.files[1].rule, "");
  EXPECT_NE(render(explanation).find("alpha: 1 of 2 files kept in `pypi`"), std::string::npos);
}

}  // namespace
}  // namespace dae::mirror
