#include "mirror/care/status.h"

#include "care_fixture.h"

namespace dae::mirror {
namespace {

using testing::CareBench;

struct Status : ::testing::Test, CareBench {};

TEST_F(Status, CountsWhatIsListedAndWhatIsHeld) {
  list("pypi", "demo", {{"demo-1.0.tar.gz", "one"}, {"demo-2.0.tar.gz", "two more"}});
  blobs->remove(Digest::of("one"));
  list("formerly", "demo", {{"demo-1.0.tar.gz", "one again"}});
  blobs->quarantine(blobs->put("bad"));
  const MirrorStatus status = read_status(scope());
  ASSERT_EQ(status.indexes.size(), 3u);
  EXPECT_EQ(status.indexes[0].name, "pypi");
  EXPECT_EQ(status.indexes[0].projects, 1);
  EXPECT_EQ(status.indexes[0].files, 2);
  EXPECT_EQ(status.indexes[0].held_files, 1u);
  EXPECT_EQ(status.indexes[0].held_bytes, 8u);
  EXPECT_EQ(status.indexes[0].revision, 1);
  EXPECT_EQ(status.indexes[0].changed_ms, clock.wall_ms());
  EXPECT_EQ(status.indexes[1].name, "whole");
  EXPECT_EQ(status.indexes[2].name, "formerly");
  EXPECT_EQ(status.indexes[2].mode, "");
  EXPECT_EQ(status.blobs, 2u);
  EXPECT_EQ(status.bytes, 17u);
  EXPECT_EQ(status.quarantined_blobs, 1u);
  EXPECT_EQ(status.quarantined_bytes, 3u);
  EXPECT_GT(status.disk_bytes, status.disk_free_bytes);
}

TEST_F(Status, SaysHowFarBehindAnIndexIs) {
  const int64_t now_ms = clock.wall_ms();
  IndexStatus index;
  index.mode = "sync";
  EXPECT_EQ(describe_behind(index, now_ms), "never synced");
  {
    mirror::Run run(catalog, clock, "sync", "whole");
    clock.advance_ms(5'000);
    run.finish("done", Value::object({{"files", 3}}));
  }
  clock.advance_ms(7'200'000);
  const MirrorStatus status = read_status(scope());
  EXPECT_EQ(describe_behind(status.indexes[1], clock.wall_ms()), "synced " + format_duration(7'200'000) + " ago");
  index.mode = "pull-through";
  index.due_pages = 3;
  EXPECT_EQ(describe_behind(index, now_ms), "3 pages to ask for again");
}

TEST_F(Status, ARunThatWasKilledHasNoEnd) {
  catalog.write([](Database& db) { db.execute("INSERT INTO runs(kind, started_ms) VALUES('gc', 5)"); });
  const MirrorStatus status = read_status(scope());
  ASSERT_EQ(status.runs.size(), 1u);
  EXPECT_EQ(status.runs[0].kind, "gc");
  EXPECT_FALSE(status.runs[0].ended_ms);
  EXPECT_EQ(to_value(status).at("runs").as_array()[0].find("result"), nullptr);
}

TEST_F(Status, RunsAreKeptAHundredDeepAndFailWhenNobodyEndsThem) {
  catalog.write([](Database& db) {
    for (int i = 0; i < 130; ++i) db.execute("INSERT INTO runs(kind, started_ms) VALUES('gc', 1)");
  });
  mirror::Run(catalog, clock, "gc").finish("done", Value::object({{"number", 129}}));
  { mirror::Run broken(catalog, clock, "verify"); }
  const std::vector<RunRow> runs = last_runs(catalog);
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].counts.get_integer("number"), 129);
  EXPECT_EQ(runs[1].result, "failed");
  const int64_t kept = catalog.read([](Database& db) {
    Statement count = db.prepare("SELECT count(*) FROM runs WHERE kind = 'gc'");
    count.step();
    return count.integer(0);
  });
  EXPECT_EQ(kept, 100);
}

TEST_F(Status, TheSectionCareOfMirrorYamlIsReadStrictly) {
  const auto parse = [](const std::string& text) { return parse_mirror_config(parse_yaml(text, "mirror.yaml")); };
  const MirrorConfig config_read = parse("storage: /srv/mirror\ncare: {grace: 4h, removed_for: 7d}\n");
  EXPECT_EQ(config_read.care.grace_ms, 4 * 3'600'000);
  EXPECT_EQ(config_read.care.removed_for_ms, 7 * 86'400'000);
  EXPECT_EQ(parse("storage: /srv/mirror\n").care.removed_for_ms, 30ll * 86'400'000);
  EXPECT_THROW(parse("storage: /srv/mirror\ncare: {grace: soon}\n"), Error);
  EXPECT_THROW(parse("storage: /srv/mirror\ncare: {graze: 1h}\n"), Error);
}

}  // namespace
}  // namespace dae::mirror
