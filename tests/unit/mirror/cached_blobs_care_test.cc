// Care for a storage whose blobs are objects.
#include <gtest/gtest.h>

#include "cached_blobs_fixture.h"
#include "care_fixture.h"
#include "mirror/care/gc.h"
#include "mirror/care/status.h"

namespace dae::mirror {
namespace {

using testing::CareBench;
using testing::Machine;
using testing::MemoryObjects;
using testing::MutexLease;
using testing::object_key;

constexpr int64_t kHourMs = 3'600'000;

struct CareOfObjects : ::testing::Test, CareBench {
  CareOfObjects() { blobs = open_cached_blobs(config.storage / "blobs", objects, lease, clock); }
  ~CareOfObjects() override { blobs.reset(); }
  VerifyReport verify(bool repair = false) {
    Repairer repairer(config, pages, *blobs, *transport, *runner);
    VerifyOptions options;
    if (repair) options.repairer = &repairer;
    return run_verify(scope(), options);
  }
  bool is_near(const Digest& digest) { return blobs->is_near(digest); }

  MemoryObjects objects{clock};
  MutexLease lease;
  Machine other{objects, lease, clock};
  std::unique_ptr<Transport> transport = make_http_client();
  std::unique_ptr<ProcessRunner> runner = make_process_runner();
};

TEST_F(CareOfObjects, AVerificationReadsObjectsAndCachesNothing) {
  list("whole", "demo", {{"demo-1.0.tar.gz", "here"}});
  const Digest far = other.blobs->put("far");
  const VerifyReport report = verify();
  EXPECT_TRUE(report.finished && report.all_well());
  EXPECT_EQ(report.blobs, 2u);
  EXPECT_EQ(report.bytes, 7u);
  EXPECT_FALSE(is_near(far));
}

TEST_F(CareOfObjects, AWrongObjectIsTakenOutAndNamed) {
  const Digest digest = list("whole", "demo", {{"demo-1.0.tar.gz", "right"}});
  blobs->remove(digest);
  other.blobs->put("right");
  objects.damage(object_key(digest), "wrong");
  remove_file(other.file(digest));
  const VerifyReport report = verify();
  ASSERT_EQ(report.damages.size(), 1u);
  EXPECT_EQ(report.damages[0].digest, digest);
  EXPECT_FALSE(report.damages[0].missing);
  EXPECT_EQ(objects.get("quarantine/" + digest.hex())->bytes, "wrong");
  EXPECT_EQ(read_status(scope()).quarantined_bytes, 5u);
}

TEST_F(CareOfObjects, AWrongFileOfTheCacheIsNoDamage) {
  const Digest digest = list("whole", "demo", {{"demo-1.0.tar.gz", "right"}});
  damage(digest, "wrong");
  EXPECT_TRUE(verify().all_well());
  EXPECT_EQ(blobs->read(digest), "right");
}

TEST_F(CareOfObjects, ALostObjectIsMissingThoughItIsCachedAndRepairedFromThere) {
  const Digest digest = list("whole", "demo", {{"demo-1.0.tar.gz", "right"}});
  objects.remove(object_key(digest));
  const VerifyReport report = verify();
  ASSERT_EQ(report.damages.size(), 1u);
  EXPECT_TRUE(report.damages[0].missing);
  EXPECT_TRUE(verify(true).all_well());
  EXPECT_EQ(other.blobs->read(digest), "right");
}

TEST_F(CareOfObjects, ACollectionRemovesObjectsThatNothingNeeds) {
  const Digest needed = list("whole", "demo", {{"demo-1.0.tar.gz", "needed"}});
  const Digest old = blobs->put("old");
  clock.advance_ms(48 * kHourMs);
  const Digest fresh = other.blobs->put("fresh");
  const GcReport report = run_gc(scope(), {});
  EXPECT_EQ(report.blobs, 1u);
  EXPECT_EQ(report.kept_blobs, 1u);
  EXPECT_EQ(report.young_blobs, 1u);
  EXPECT_FALSE(objects.head(object_key(old)));
  EXPECT_FALSE(is_near(old));
  EXPECT_TRUE(blobs->touch(needed));
  EXPECT_TRUE(blobs->touch(fresh));
}

TEST_F(CareOfObjects, TheStateCountsObjects) {
  list("pypi", "demo", {{"demo-1.0.tar.gz", "one"}});
  other.blobs->put("two more");
  const MirrorStatus status = read_status(scope());
  EXPECT_EQ(status.blobs, 2u);
  EXPECT_EQ(status.bytes, 11u);
  EXPECT_EQ(status.indexes[0].held_files, 1);
}

}  // namespace
}  // namespace dae::mirror
