#include <atomic>

#include "care_fixture.h"
#include "fixture.h"
#include "mirror/care/hashing.h"
#include "mirror/care/runs.h"

namespace dae::mirror {
namespace {

using testing::CareBench;
using testing::FakeIndex;

struct Verify : ::testing::Test, CareBench {
  VerifyReport verify(VerifyOptions options = {}) { return run_verify(scope(), options); }
  VerifyReport repair(FakeIndex& upstream) {
    config.indexes[0].upstream = upstream.simple_url();
    Repairer repairer(config, pages, *blobs, *transport, *runner);
    VerifyOptions options;
    options.repairer = &repairer;
    return verify(options);
  }
  std::unique_ptr<ProcessRunner> runner = make_process_runner();
  std::unique_ptr<Transport> transport = [] {
    HttpClientOptions options;
    options.retry_base_ms = 1;
    return make_http_client(options);
  }();
  static VerifyOptions jobs(int count) {
    VerifyOptions options;
    options.jobs = count;
    return options;
  }
};

TEST_F(Verify, FindsNothingWrongWhereNothingIs) {
  for (int i = 0; i < 60; ++i) blobs->put("blob " + std::to_string(i));
  const VerifyReport report = verify(jobs(4));
  EXPECT_TRUE(report.finished);
  EXPECT_TRUE(report.all_well());
  EXPECT_EQ(report.blobs, 60u);
  EXPECT_EQ(last_runs(catalog).at(0).result, "done");
}

TEST_F(Verify, MovesACorruptBlobAwayAndNamesWhatListsIt) {
  const Digest digest = list("pypi", "demo", {{"demo-1.0.tar.gz", "the sdist"}});
  blobs->put("another");
  damage(digest);
  const VerifyReport report = verify();
  ASSERT_EQ(report.damages.size(), 1u);
  EXPECT_EQ(report.damages[0].digest, digest);
  EXPECT_FALSE(report.damages[0].missing);
  ASSERT_EQ(report.damages[0].listed_by.size(), 1u);
  EXPECT_EQ(report.damages[0].listed_by[0].text(), "pypi: demo/demo-1.0.tar.gz");
  EXPECT_FALSE(report.all_well());
  EXPECT_FALSE(blobs->has(digest));
  EXPECT_EQ(read_file(config.storage / "quarantine" / digest.hex()), "something else");
  EXPECT_EQ(events.warnings.size(), 1u);
  EXPECT_EQ(last_runs(catalog).at(0).result, "damaged");
}

TEST_F(Verify, SeesBlobsOfWhichNothingIsLeftAndThoseCutOff) {
  const Digest empty = list("pypi", "demo", {{"demo-1.0.tar.gz", "the sdist"}});
  const Digest cut = list("pypi", "other", {{"other-1.0.tar.gz", "another sdist"}});
  damage(empty, "");
  damage(cut, "another");
  EXPECT_EQ(verify().damages.size(), 2u);
  EXPECT_FALSE(file_info(blobs->path(empty)));
}

TEST_F(Verify, ACorruptBlobThatNothingListsIsOutOfTheWayAndNoHarm) {
  damage(blobs->put("nobody's"));
  EXPECT_TRUE(verify().all_well());
  EXPECT_EQ(blobs->quarantined().size(), 1u);
}

TEST_F(Verify, SaysAgainWhatARunBeforeFoundUntilItIsThere) {
  const Digest digest = list("pypi", "demo", {{"demo-1.0.tar.gz", "the sdist"}});
  damage(digest);
  EXPECT_FALSE(verify().all_well());
  EXPECT_FALSE(verify().all_well());
  blobs->put("the sdist");
  EXPECT_TRUE(verify().all_well());
}

TEST_F(Verify, NamesMissingFilesOfIndexesThatHoldEverything) {
  const Digest pulled = list("pypi", "demo", {{"demo-1.0.tar.gz", "pulled through"}});
  const Digest synced = list("whole", "demo", {{"demo-2.0.tar.gz", "synced"}});
  const Digest uploaded = list("pypi", "ours", {{"ours-1.0.tar.gz", "uploaded"}}, "");
  for (const Digest& digest : {pulled, synced, uploaded}) blobs->remove(digest);
  std::set<Digest> missing;
  for (const Damage& damage : verify().damages) {
    EXPECT_TRUE(damage.missing);
    missing.insert(damage.digest);
  }
  EXPECT_EQ(missing, (std::set<Digest>{synced, uploaded}));
}

TEST_F(Verify, NamesTheRepositoriesThatNeedABlob) {
  const Digest digest = blobs->put("layer");
  catalog.write([&](Database& db) {
    db.prepare("INSERT INTO repository_blobs(repository, digest) VALUES('apps/shop', ?)").bind(1, digest.hex()).run();
  });
  damage(digest);
  const VerifyReport report = verify();
  ASSERT_EQ(report.damages.size(), 1u);
  EXPECT_EQ(report.damages[0].listed_by.at(0).text(), "repository apps/shop");
}

TEST_F(Verify, FindsThePageOfACorruptMetadataFile) {
  const Digest wheel = list("pypi", "demo", {{"demo-1.0-py3-none-any.whl", "a wheel"}});
  const Digest metadata = blobs->put("Metadata-Version: 2.1\n");
  pages.learn_metadata(wheel, metadata);
  damage(metadata);
  const VerifyReport report = verify();
  ASSERT_EQ(report.damages.size(), 1u);
  EXPECT_EQ(report.damages[0].listed_by.at(0).text(), "pypi: demo/demo-1.0-py3-none-any.whl.metadata");
}

TEST_F(Verify, FindsThePageOfCorruptAttestations) {
  const Digest wheel = list("pypi", "demo", {{"demo-1.0-py3-none-any.whl", "a wheel"}});
  const Digest provenance = blobs->put("{}");
  pages.learn_provenance(wheel, "demo-1.0-py3-none-any.whl", "http://127.0.0.1:1/p", provenance);
  damage(provenance);
  const VerifyReport report = verify();
  ASSERT_EQ(report.damages.size(), 1u);
  EXPECT_EQ(report.damages[0].listed_by.at(0).text(), "pypi: demo/demo-1.0-py3-none-any.whl.provenance");
}

TEST_F(Verify, FetchesAgainWhatUpstreamHasAndChecksIt) {
  FakeIndex upstream;
  const std::string wheel = testing::make_wheel("demo", "1.0");
  const std::string root = upstream.url() + "/files/";
  const Digest right = list("pypi", "demo", {{"demo-1.0-py3-none-any.whl", wheel}}, root);
  const Digest changed = list("pypi", "other", {{"other-1.0.tar.gz", "other"}}, root);
  const Digest metadata = blobs->put(testing::metadata_text("demo", "1.0"));
  pages.learn_metadata(right, metadata);
  for (const Digest& digest : {right, changed, metadata}) damage(digest);
  upstream.set_file("demo-1.0-py3-none-any.whl", wheel);
  upstream.set_file("demo-1.0-py3-none-any.whl.metadata", testing::metadata_text("demo", "1.0"));
  upstream.set_file("other-1.0.tar.gz", "wrong");
  const VerifyReport report = repair(upstream);
  EXPECT_FALSE(report.all_well());
  std::set<Digest> repaired;
  for (const Damage& damage : report.damages) {
    if (damage.repaired) repaired.insert(damage.digest);
    EXPECT_EQ(damage.repaired, damage.why_not.empty());
  }
  EXPECT_EQ(repaired, (std::set<Digest>{right, metadata}));
  EXPECT_TRUE(blobs->verify(right));
  EXPECT_TRUE(blobs->verify(metadata));
  EXPECT_FALSE(blobs->has(changed));
}

TEST_F(Verify, GoesOnWhereItWasStopped) {
  for (int i = 0; i < 100; ++i) blobs->put("blob " + std::to_string(i));
  std::atomic<int> asked{0};
  stop = [&] { return ++asked > 40; };
  EXPECT_FALSE(verify(jobs(1)).finished);
  EXPECT_EQ(last_runs(catalog).at(0).result, "interrupted");
  asked = 0;
  stop = [&] { return ++asked > 90; };  // enough for the 60 that are left, not for all
  const VerifyReport rest = verify(jobs(1));
  EXPECT_TRUE(rest.resumed);
  EXPECT_EQ(rest.blobs, 100u);
  stop = [] { return false; };
  EXPECT_FALSE(verify().resumed);  // finished: from the start again
}

TEST_F(Verify, AKillCostsNoMoreThanWhatCameAfterTheLastMark) {
  for (int i = 0; i < 60; ++i) blobs->put("blob " + std::to_string(i));
  BlobQueue queue(*blobs, "", INT64_MIN);
  std::vector<Digest> order;
  for (int i = 0; i < 5; ++i) order.push_back(queue.next()->digest);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  for (size_t i : {1u, 2u, 4u}) queue.done(order[i]);
  EXPECT_EQ(queue.position(), "");  // the first is still being hashed
  queue.done(order[0]);
  EXPECT_EQ(queue.position(), order[2].hex());
  BlobQueue again(*blobs, queue.position(), INT64_MIN);
  EXPECT_EQ(again.count().blobs, 57u);
  EXPECT_EQ(again.next()->digest, order[3]);
}

TEST_F(Verify, LooksAtFreshBlobsAloneWhenToldSo) {
  const Digest old = list("pypi", "demo", {{"demo-1.0.tar.gz", "old"}});
  blobs->put("fresh");
  damage(old);
  age(old, 10 * 86'400'000);
  VerifyOptions fresh;
  fresh.since_ms = 7 * 86'400'000;
  const VerifyReport report = verify(fresh);
  EXPECT_EQ(report.blobs, 1u);
  EXPECT_TRUE(report.all_well());
  EXPECT_FALSE(verify().all_well());
}

TEST_F(Verify, TwoAtOnceAreRefused) {
  const auto lock = FileLock::try_acquire(config.storage / "verify.lock");
  try {
    verify();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::refused);
  }
}

TEST(RemainingTime, FollowsFromTheSpeedSoFar) {
  EXPECT_EQ(remaining_ms(25, 100, 1'000), 3'000);
  EXPECT_EQ(remaining_ms(100, 100, 1'000), 0);
  EXPECT_EQ(remaining_ms(0, 100, 1'000), -1);
}

}  // namespace
}  // namespace dae::mirror
