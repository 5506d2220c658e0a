#include "care_fixture.h"
#include "mirror/care/gc.h"
#include "mirror/care/live_blobs.h"
#include "mirror/care/runs.h"

namespace dae::mirror {
namespace {

using testing::CareBench;

constexpr int64_t kHourMs = 3'600'000;
constexpr int64_t kDayMs = 24 * kHourMs;

struct Gc : ::testing::Test, CareBench {
  GcReport gc(bool dry_run = false) {
    GcOptions options;
    options.dry_run = dry_run;
    return run_gc(scope(), options);
  }
  Digest put_old(const std::string& bytes) {
    const Digest digest = blobs->put(bytes);
    age(digest, 3 * kHourMs);
    return digest;
  }
  int64_t rows(const std::string& table) {
    return catalog.read([&](Database& db) {
      Statement count = db.prepare("SELECT count(*) FROM " + table);
      count.step();
      return count.integer(0);
    });
  }
  void link(const std::string& repository, const Digest& digest) {
    catalog.write([&](Database& db) {
      db.prepare("INSERT OR IGNORE INTO repository_blobs(repository, digest) VALUES(?,?)")
          .bind(1, repository)
          .bind(2, digest.hex())
          .run();
    });
  }
  Digest push_manifest(const std::string& repository, const std::vector<std::string>& layers) {
    const std::string kType = "application/vnd.oci.image.manifest.v1+json";
    const auto descriptor = [](const std::string& bytes) {
      return Value::object({{"mediaType", "application/vnd.test"},
                            {"digest", Digest::of(bytes).oci()},
                            {"size", static_cast<int64_t>(bytes.size())}});
    };
    Value list = Value::array();
    for (const std::string& layer : layers) list.push_back(descriptor(layer));
    const Value manifest = Value::object(
        {{"schemaVersion", 2}, {"mediaType", kType}, {"config", descriptor(layers[0])}, {"layers", list}});
    const Digest digest = put_old(canonical_json(manifest));
    for (const std::string& layer : layers) link(repository, put_old(layer));
    catalog.write([&](Database& db) {
      db.prepare(
            "INSERT OR IGNORE INTO manifests(repository, digest, media_type, artifact_type, annotations, subject, "
            "size_bytes, "
            "pushed_ms) VALUES(?,?,?,'','{}','',1,1)")
          .bind(1, repository)
          .bind(2, digest.hex())
          .bind(3, kType)
          .run();
    });
    return digest;
  }
};

TEST_F(Gc, KeepsWhatIsListedAndWhatIsYoungAndFreesTheRest) {
  const Digest listed = list("pypi", "demo", {{"demo-1.0-py3-none-any.whl", "a wheel"}});
  const Digest metadata = put_old("its metadata");
  pages.learn_metadata(listed, metadata);
  age(listed, 3 * kHourMs);
  const Digest provenance = put_old("its attestations");
  pages.learn_provenance(listed, "demo-1.0-py3-none-any.whl", "http://127.0.0.1:1/p", provenance);
  const Digest dead = put_old("nobody's");
  const Digest young = blobs->put("just put");
  const GcReport report = gc();
  EXPECT_TRUE(report.finished);
  EXPECT_TRUE(blobs->has(listed));
  EXPECT_TRUE(blobs->has(metadata));
  EXPECT_TRUE(blobs->has(provenance));
  EXPECT_TRUE(blobs->has(young));
  EXPECT_FALSE(blobs->has(dead));
  EXPECT_EQ(report.blobs, 1u);
  EXPECT_EQ(report.bytes, 8u);
  EXPECT_EQ(report.kept_blobs, 3u);
  EXPECT_EQ(report.young_blobs, 1u);
  EXPECT_EQ(last_runs(catalog).at(0).kind, "gc");
}

TEST_F(Gc, ADryRunSaysTheSameAndRemovesNothing) {
  const Digest removed = list("pypi", "demo", {{"demo-1.0.tar.gz", "removed long ago"}});
  age(removed, 3 * kHourMs);
  pages.learn_size(removed, 16);
  pages.learn_provenance(removed, "demo-1.0.tar.gz", "http://127.0.0.1:1/p", Digest::of("gone"));
  remove_project("pypi", "demo");
  clock.advance_ms(31 * kDayMs);
  const Digest dead = put_old("nobody's");
  const GcReport dry = gc(true);
  EXPECT_TRUE(blobs->has(dead));
  EXPECT_EQ(rows("documents"), 1);
  EXPECT_TRUE(last_runs(catalog).empty());
  const GcReport real = gc();
  EXPECT_EQ(dry.blobs, 2u);
  EXPECT_EQ(real.blobs, dry.blobs);
  EXPECT_EQ(real.bytes, dry.bytes);
  EXPECT_EQ(real.rows, dry.rows);
  EXPECT_EQ(real.rows, 4u);  // the entry, its document, what was learned
  EXPECT_EQ(rows("documents") + rows("entries") + rows("known") + rows("provenance"), 0);
}

TEST_F(Gc, KeepsWhatAnIndexRemovedForItsTime) {
  const Digest removed = list("pypi", "demo", {{"demo-1.0.tar.gz", "removed"}});
  clock.advance_ms(100 * kDayMs);  // listed for long: only the removal counts
  age(removed, 100 * kDayMs);
  list("pypi", "demo", {{"demo-2.0.tar.gz", "its successor"}});
  clock.advance_ms(29 * kDayMs);
  EXPECT_EQ(gc().blobs, 0u);
  EXPECT_TRUE(blobs->has(removed));
  clock.advance_ms(2 * kDayMs);
  EXPECT_EQ(gc().blobs, 1u);
  EXPECT_FALSE(blobs->has(removed));
  EXPECT_TRUE(blobs->has(Digest::of("its successor")));
  EXPECT_TRUE(pages.document("pypi", "demo"));
}

TEST_F(Gc, KeepsWhatASnapshotHas) {
  const Digest before = list("pypi", "demo", {{"demo-1.0.tar.gz", "before the snapshot"}});
  const Digest frozen = list("pypi", "demo", {{"demo-2.0.tar.gz", "in the snapshot"}});
  catalog.write([&](Database& db) {
    db.prepare("INSERT INTO snapshots(id, index_name, revision, made_ms, note) VALUES('s1', 'pypi', ?, 1, '')")
        .bind(1, int64_t{2})
        .run();
  });
  const Digest after = list("pypi", "demo", {{"demo-3.0.tar.gz", "after the snapshot"}});
  remove_project("pypi", "demo");
  clock.advance_ms(31 * kDayMs);
  for (const Digest& digest : {before, frozen, after}) age(digest, kDayMs);
  EXPECT_EQ(gc().blobs, 2u);
  EXPECT_TRUE(blobs->has(frozen));
  EXPECT_EQ(rows("entries"), 1);
  catalog.write([](Database& db) { db.execute("DELETE FROM snapshots"); });
  const GcReport last = gc();
  EXPECT_EQ(last.blobs, 1u) << canonical_json(to_value(last));
  EXPECT_EQ(rows("entries") + rows("documents"), 0);
}

TEST_F(Gc, ADocumentThatAnotherIndexListsStays) {
  const Digest shared = list("pypi", "demo", {{"demo-1.0.tar.gz", "promoted"}});
  ProjectChange change;
  change.project = "demo";
  change.document = *pages.document("pypi", "demo");
  pages.apply("release", {change}, clock.wall_ms(), "promoted");
  remove_project("pypi", "demo");
  clock.advance_ms(31 * kDayMs);
  age(shared, kDayMs);
  EXPECT_EQ(gc().blobs, 0u);
  EXPECT_TRUE(pages.document("release", "demo"));
}

TEST_F(Gc, ABlobThatIsPutAgainOrListedMeanwhileStays) {
  const Digest put_again = put_old("put again");
  const Digest listed = put_old("listed again");
  const LiveBlobs mark = mark_live_blobs(scope(), [](const std::string&) { return true; });
  EXPECT_FALSE(mark.contains(listed));
  // What sweep does after its mark, with what happened since.
  blobs->put("put again");
  list("pypi", "demo", {{"demo-1.0.tar.gz", "listed again"}});
  age(listed, 3 * kHourMs);
  EXPECT_FALSE(blobs->remove_untouched(put_again, clock.wall_ms() - 2 * kHourMs));
  EXPECT_TRUE(catalog.read([&](Database& db) { return is_listed_now(db, listed); }));
  EXPECT_EQ(gc().blobs, 0u);
}

TEST_F(Gc, LayersGoWhenNoManifestOfAnyRepositoryNamesThem) {
  const Digest one = push_manifest("team/one", {"shared layer", "own layer"});
  push_manifest("team/two", {"shared layer"});
  EXPECT_EQ(gc().blobs, 0u);
  catalog.write([&](Database& db) {
    db.prepare("DELETE FROM manifests WHERE repository = 'team/one' AND digest = ?").bind(1, one.hex()).run();
  });
  const GcReport report = gc();
  EXPECT_EQ(report.blobs, 2u);  // the manifest and its own layer
  EXPECT_FALSE(blobs->has(one));
  EXPECT_FALSE(blobs->has(Digest::of("own layer")));
  EXPECT_TRUE(blobs->has(Digest::of("shared layer")));
  EXPECT_EQ(rows("repository_blobs"), 1);
}

TEST_F(Gc, APushThatIsNotAtItsEndKeepsItsLayers) {
  const Digest layer = blobs->put("just pushed");
  link("team/one", layer);
  EXPECT_EQ(gc().rows, 0u);
  age(layer, 3 * kHourMs);
  const GcReport report = gc();
  EXPECT_EQ(report.rows, 1u);
  EXPECT_EQ(report.blobs, 1u);
}

TEST_F(Gc, ARepositoryWithAManifestThatCannotBeReadKeepsAll) {
  const Digest manifest = push_manifest("team/one", {"layer"});
  link("team/one", put_old("orphan"));
  blobs->remove(manifest);
  EXPECT_EQ(gc().blobs, 0u);
  EXPECT_TRUE(blobs->has(Digest::of("orphan")));
}

TEST_F(Gc, QuarantinedBlobsGoAfterTheirTime) {
  const Digest digest = blobs->put("damaged");
  blobs->quarantine(digest);
  EXPECT_EQ(gc().quarantine_bytes, 0u);
  clock.advance_ms(31 * kDayMs);
  EXPECT_EQ(gc().quarantine_bytes, 7u);
  EXPECT_TRUE(blobs->quarantined().empty());
}

// Where a kill may strike is every place where gc asks whether it is to stop.
TEST_F(Gc, AKillAnywhereLosesNothingThatIsNeeded) {
  struct Killed {};
  for (int kill_at = 1;; ++kill_at) {
    const Digest needed = list("pypi", "demo", {{"demo-1.0.tar.gz", "needed"}});
    const Digest gone = list("pypi", "old", {{"old-1.0.tar.gz", "old"}});
    remove_project("pypi", "old");
    clock.advance_ms(31 * kDayMs);
    for (const Digest& digest : {needed, gone, put_old("nobody's"), push_manifest("team/one", {"l"})})
      age(digest, kDayMs);
    int asked = 0;
    stop = [&]() -> bool {
      if (++asked == kill_at) throw Killed();
      return false;
    };
    bool killed = false;
    try {
      gc();
    } catch (const Killed&) {
      killed = true;
    }
    EXPECT_TRUE(blobs->has(needed)) << kill_at;
    stop = [] { return false; };
    gc();
    EXPECT_TRUE(blobs->has(needed)) << kill_at;
    EXPECT_TRUE(pages.document("pypi", "demo")) << kill_at;
    EXPECT_FALSE(blobs->has(gone)) << kill_at;
    EXPECT_FALSE(blobs->has(Digest::of("nobody's"))) << kill_at;
    EXPECT_TRUE(blobs->has(Digest::of("l"))) << kill_at;
    EXPECT_EQ(rows("documents"), 1) << kill_at;
    if (!killed) break;
    ASSERT_LT(kill_at, 100);
  }
}

TEST_F(Gc, TwoAtOnceAreRefused) {
  const auto lock = FileLock::try_acquire(config.storage / "gc.lock");
  try {
    gc();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::refused);
  }
}

}  // namespace
}  // namespace dae::mirror
