#include "mirror/storage/cache_keeper.h"

#include <gtest/gtest.h>

#include "cached_blobs_fixture.h"
#include "support/error_of.h"

namespace dae::mirror {
namespace {

using dae::testing::error_of;
using testing::Machine;
using testing::SharedBlobs;

constexpr int64_t kHourMs = 3'600'000, kDayMs = 24 * kHourMs;
constexpr uint64_t kMuchFree = 1ull << 50;

struct CacheEviction : ::testing::Test {
  // Of ten bytes, used this long ago.
  Digest put(const std::string& name, int64_t used_ago_ms) {
    const Digest digest = cache->put((name + std::string(10, '.')).substr(0, 10));
    const auto now = std::filesystem::file_time_type::clock::now();
    std::filesystem::last_write_time(cache->path(digest), now - std::chrono::milliseconds(used_ago_ms));
    return digest;
  }
  Eviction make_room(uint64_t cache_bytes, uint64_t free_bytes = kMuchFree) {
    return evict(*cache, {cache_bytes, free_bytes, now_ms - kHourMs},
                 [&](const StoredBlob& blob) { return !kept.contains(blob.digest); });
  }
  TempDir dir;
  std::unique_ptr<BlobStore> cache = open_blob_store(dir.path() / "cache", Durability::none);
  const int64_t now_ms = SystemClock().wall_ms();
  std::set<Digest> kept;
};

TEST_F(CacheEviction, TakesWhatWasUsedLongestAgoUntilATenthIsFree) {
  std::vector<Digest> by_age;
  for (int i = 0; i < 20; ++i) by_age.push_back(put("blob " + std::to_string(i), (30 - i) * kHourMs));
  EXPECT_EQ(make_room(200).blobs, 0u) << "full, but no more than that";
  const Eviction gone = make_room(199);
  EXPECT_EQ(gone.blobs, 3u);
  EXPECT_EQ(gone.bytes, 30u);
  EXPECT_EQ(gone.held_bytes, 170u);
  for (size_t i = 0; i < by_age.size(); ++i) EXPECT_EQ(cache->has(by_age[i]), i >= 3) << i;
}

TEST_F(CacheEviction, LeavesRoomOnTheDisk) {
  for (int i = 0; i < 20; ++i) put("blob " + std::to_string(i), (30 - i) * kHourMs);
  EXPECT_EQ(make_room(1'000, 20).blobs, 0u);
  EXPECT_EQ(make_room(1'000, 0).held_bytes, 170u);
}

TEST_F(CacheEviction, SparesWhatWasUsedAMomentAgo) {
  const Digest old = put("old", 2 * kHourMs), fresh = put("fresh", kHourMs / 2), now = put("now", 0);
  EXPECT_EQ(make_room(1).blobs, 1u);
  EXPECT_FALSE(cache->has(old));
  EXPECT_TRUE(cache->has(fresh));
  EXPECT_TRUE(cache->has(now));
}

TEST_F(CacheEviction, TakesOthersInsteadOfWhatMayNotGo) {
  const Digest last_copy = put("last copy", 5 * kHourMs), old = put("old", 5 * kHourMs);
  kept.insert(last_copy);
  EXPECT_EQ(make_room(1).blobs, 1u);
  EXPECT_TRUE(cache->has(last_copy));
  EXPECT_FALSE(cache->has(old));
}

struct CacheOfObjects : ::testing::Test, SharedBlobs {
  static void wait_until(const std::function<bool()>& done) {
    for (int i = 0; i < 5000 && !done(); ++i) SystemClock().sleep_ms(1);
    EXPECT_TRUE(done());
  }
};

TEST_F(CacheOfObjects, IsMadeSmallerBesideThoseWhoUseIt) {
  const Digest old = here.blobs->put(std::string(1000, 'o')), used = here.blobs->put(std::string(1000, 'u'));
  const Digest lost = here.blobs->put(std::string(1000, 'l')), swept = here.blobs->put(std::string(1000, 's'));
  for (const Digest& digest : {old, used}) here.used_ago(digest, kDayMs);
  here.used_ago(lost, 2 * kDayMs);
  here.used_ago(swept, 30 * kDayMs);
  for (const Digest& digest : {lost, swept}) objects.remove(testing::object_key(digest));
  const auto small = open_cached_blobs(here.dir.path() / "cache", objects, lease, clock, {.cache_bytes = 2500});
  small->path(used);
  const Digest added = small->put(std::string(1000, 'n'));
  wait_until([&] { return !small->is_near(old) && !small->is_near(swept); });
  EXPECT_TRUE(small->is_near(used));
  EXPECT_TRUE(small->is_near(added));
  EXPECT_TRUE(small->is_near(lost)) << "the last copy";
  EXPECT_EQ(small->read(old), std::string(1000, 'o')) << "the object is there";
  EXPECT_EQ(small->read(lost), std::string(1000, 'l'));
  EXPECT_EQ(error_of([&] { small->read(swept); }).kind(), ErrorKind::not_found);
}

TEST_F(CacheOfObjects, NothingGoesWhileTheObjectStoreCannotSayWhatItHas) {
  const Digest old = here.blobs->put(std::string(1000, 'o'));
  here.used_ago(old, kDayMs);
  std::atomic<int> asked{0};
  const auto small = open_cached_blobs(here.dir.path() / "cache", objects, lease, clock, {.cache_bytes = 100});
  objects.set_after([&](const std::string& operation, const std::string&) {
    if (operation != "put_files") return;
    objects.set_before([&](const std::string&, const std::string&) {
      ++asked;
      throw testing::unreachable();
    });
  });
  small->put("new bytes");
  wait_until([&] { return asked > 0; });
  SystemClock().sleep_ms(20);
  EXPECT_TRUE(small->is_near(old));
}

}  // namespace
}  // namespace dae::mirror
