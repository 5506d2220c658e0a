#include "mirror/storage/cached_blobs.h"

#include <gtest/gtest.h>

#include <thread>

#include "cached_blobs_fixture.h"
#include "memory_lease.h"
#include "support/error_of.h"

namespace dae::mirror {
namespace {

using dae::testing::error_of;
using testing::Machine;
using testing::MemoryLease;
using testing::MemoryObjects;
using testing::object_key;
using testing::SharedBlobs;
using testing::unreachable;

constexpr int64_t kHourMs = 3'600'000;

struct CachedBlobs : ::testing::Test, SharedBlobs {
  BlobStore& blobs = *here.blobs;
  Machine there{objects, lease, clock};  // with an empty cache
};

TEST_F(CachedBlobs, WhatOneMachinePutsAllHave) {
  const Digest digest = blobs.put("bytes");
  EXPECT_TRUE(has_object(digest));
  EXPECT_TRUE(blobs.is_near(digest));
  EXPECT_FALSE(there.blobs->is_near(digest));
  EXPECT_EQ(there.blobs->size_bytes(digest), 5u);
  EXPECT_EQ(there.blobs->read(digest), "bytes");
  EXPECT_TRUE(there.blobs->is_near(digest));
  EXPECT_EQ(read_file(there.blobs->path(digest)), "bytes");
  EXPECT_EQ(file_info(there.file(digest))->mode & 0777, 0444u);
  EXPECT_TRUE(there.leftovers().empty());
}

TEST_F(CachedBlobs, EveryWayInPutsTheObjectFirst) {
  const Path file = here.dir.path() / "file";
  const auto fresh = [&](const std::string& bytes) {
    write_file_atomic(file, bytes);
    return file;
  };
  const Digest adopted = blobs.adopt(fresh("adopted"), Digest::of("adopted"));
  EXPECT_FALSE(exists(file));
  const Digest copied = blobs.copy_in(fresh("copied"));
  EXPECT_TRUE(exists(file));
  const Digest part = Digest::of("part");
  write_file_atomic(blobs.part(part), "part");
  blobs.adopt_part(blobs.part(part), part);
  const auto writer = blobs.writer();
  writer->write("forgotten");
  writer->restart();
  writer->write("writ");
  writer->write("ten");
  EXPECT_EQ(writer->size_bytes(), 7u);
  const Digest written = writer->commit(Digest::of("written"));
  for (const Digest& digest : {adopted, copied, part, written}) {
    EXPECT_TRUE(has_object(digest));
    EXPECT_TRUE(blobs.is_near(digest));
  }
  EXPECT_EQ(there.blobs->read(written), "written");
  EXPECT_TRUE(here.leftovers().empty());
}

TEST_F(CachedBlobs, WrongBytesAreNotPut) {
  const auto writer = blobs.writer();
  writer->write("wrong");
  EXPECT_EQ(error_of([&] { writer->commit(Digest::of("right")); }).kind(), ErrorKind::verification);
  const Path file = here.dir.path() / "file";
  write_file_atomic(file, "wrong");
  EXPECT_EQ(error_of([&] { blobs.adopt(file, Digest::of("right")); }).kind(), ErrorKind::verification);
  EXPECT_EQ(error_of([&] { blobs.copy_in(file, Digest::of("right")); }).kind(), ErrorKind::verification);
  EXPECT_TRUE(exists(file));
  { blobs.writer()->write("never committed"); }
  EXPECT_TRUE(objects.keys().empty());
  EXPECT_TRUE(here.leftovers().empty());
}

TEST_F(CachedBlobs, ManyPartsGoTogether) {
  std::map<Digest, Path> parts;
  for (int i = 0; i < 40; ++i) {
    const std::string bytes = "part " + std::to_string(i);
    const Digest digest = Digest::of(bytes);
    parts[digest] = blobs.part(digest);
    write_file_atomic(parts[digest], bytes);
  }
  const Digest known = Digest::of("part 7");
  there.blobs->put("part 7");
  // Somebody else was faster.
  const Digest lost = Digest::of("part 8");
  there.blobs->put("part 8");
  remove_file(parts[lost]);
  const auto puts = count("put_files");
  blobs.adopt_parts(parts);
  EXPECT_EQ(*puts, 38);
  for (const auto& [digest, part] : parts) EXPECT_EQ(there.blobs->read(digest), blobs.read(digest));
  EXPECT_TRUE(blobs.is_near(known));
  EXPECT_TRUE(here.leftovers().empty());
  EXPECT_THROW(blobs.adopt_parts({{Digest::of("nowhere"), blobs.part(Digest::of("nowhere"))}}), Error);
}

TEST_F(CachedBlobs, AFailedUploadLeavesNothingButThePart) {
  go_down();
  EXPECT_EQ(error_of([&] { blobs.put("bytes"); }).kind(), ErrorKind::network);
  const auto writer = blobs.writer();
  writer->write("bytes");
  EXPECT_EQ(error_of([&] { writer->commit(); }).kind(), ErrorKind::network);
  EXPECT_TRUE(here.leftovers().empty());
  const Digest digest = Digest::of("bytes");
  write_file_atomic(blobs.part(digest), "bytes");
  EXPECT_EQ(error_of([&] { blobs.adopt_part(blobs.part(digest), digest); }).kind(), ErrorKind::network);
  EXPECT_EQ(error_of([&] { blobs.adopt_parts({{digest, blobs.part(digest)}}); }).kind(), ErrorKind::network);
  EXPECT_FALSE(blobs.is_near(digest));
  come_back();
  EXPECT_FALSE(blobs.has(digest));
  blobs.adopt_part(blobs.part(digest), digest);
  EXPECT_EQ(there.blobs->read(digest), "bytes");
}

TEST_F(CachedBlobs, AnUploadWhoseAnswerWasLostIsFoundToBeThere) {
  const Digest digest = Digest::of("bytes");
  objects.set_after([](const std::string& what, const std::string&) {
    if (what == "put_files") throw unreachable();
  });
  EXPECT_EQ(error_of([&] { blobs.put("bytes"); }).kind(), ErrorKind::network);
  EXPECT_FALSE(blobs.is_near(digest));
  const auto puts = count("put_files");
  objects.set_after({});
  EXPECT_EQ(blobs.put("bytes"), digest);
  EXPECT_EQ(*puts, 0);
}

TEST_F(CachedBlobs, KilledBetweenObjectAndNameTheNextPutSucceeds) {
  struct Killed {};
  objects.set_after([](const std::string& what, const std::string&) {
    if (what == "put_files") throw Killed();
  });
  const Digest digest = Digest::of("bytes");
  write_file_atomic(blobs.part(digest), "bytes");
  EXPECT_THROW(blobs.adopt_part(blobs.part(digest), digest), Killed);
  EXPECT_FALSE(blobs.is_near(digest));
  come_back();
  EXPECT_TRUE(blobs.has(digest));
  blobs.adopt_part(blobs.part(digest), digest);
  EXPECT_TRUE(blobs.is_near(digest));
  EXPECT_EQ(blobs.put("bytes"), digest);
}

TEST_F(CachedBlobs, AnObjectOfAWrongSizeIsPutAgain) {
  const Digest digest = there.blobs->put("bytes");
  objects.damage(object_key(digest), "byt");
  const auto writer = blobs.writer();
  writer->write("bytes");
  writer->commit();
  EXPECT_EQ(objects.get(object_key(digest))->bytes, "bytes");
}

TEST_F(CachedBlobs, WithoutTheObjectStoreWhatIsNearIsServed) {
  const Digest near = blobs.put("near"), far = there.blobs->put("far");
  go_down();
  EXPECT_TRUE(blobs.has(near));
  EXPECT_EQ(blobs.read(near), "near");
  EXPECT_EQ(read_file(blobs.path(near)), "near");
  EXPECT_EQ(error_of([&] { blobs.has(far); }).kind(), ErrorKind::network);
  EXPECT_EQ(error_of([&] { blobs.read(far); }).kind(), ErrorKind::network);
  EXPECT_EQ(error_of([&] { blobs.path(far); }).kind(), ErrorKind::network);
  EXPECT_EQ(error_of([&] { blobs.touch(near); }).kind(), ErrorKind::network);
  EXPECT_TRUE(here.leftovers().empty());
}

TEST_F(CachedBlobs, WhatIsNowhereIsNotFound) {
  const Digest digest = Digest::of("nowhere");
  EXPECT_FALSE(blobs.has(digest));
  EXPECT_FALSE(blobs.find(digest));
  EXPECT_FALSE(blobs.touch(digest));
  EXPECT_FALSE(blobs.remove(digest));
  EXPECT_FALSE(blobs.verify(digest));
  EXPECT_EQ(error_of([&] { blobs.read(digest); }).kind(), ErrorKind::not_found);
  EXPECT_EQ(error_of([&] { blobs.path(digest); }).kind(), ErrorKind::not_found);
  EXPECT_TRUE(here.leftovers().empty());
}

TEST_F(CachedBlobs, ThatABlobIsThereIsRememberedForAMoment) {
  const Digest digest = there.blobs->put("bytes");
  const auto heads = count("head");
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(blobs.has(digest));
  EXPECT_EQ(*heads, 1);
  clock.advance_ms(61'000);
  EXPECT_TRUE(blobs.has(digest));
  EXPECT_EQ(*heads, 2);
  objects.remove(object_key(digest));
  EXPECT_TRUE(blobs.has(digest)) << "remembered";
  EXPECT_EQ(error_of([&] { blobs.path(digest); }).kind(), ErrorKind::not_found);
  EXPECT_FALSE(blobs.has(digest));
}

TEST_F(CachedBlobs, ManyThatWantOneBlobFetchItOnce) {
  const Digest digest = there.blobs->put("bytes");
  std::atomic<int> fetches{0};
  objects.set_before([&](const std::string& what, const std::string&) {
    if (what != "get_file") return;
    ++fetches;
    SystemClock().sleep_ms(50);
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) threads.emplace_back([&] { EXPECT_EQ(read_file(blobs.path(digest)), "bytes"); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(fetches, 1);
}

TEST_F(CachedBlobs, AFetchGoesOnWithWhatABrokenOneLeft) {
  const Digest digest = there.blobs->put("all of the bytes");
  const Path part = here.dir.path() / "cache" / "tmp" / (digest.hex() + ".object");
  write_file_atomic(part, "all of");
  go_down();
  EXPECT_EQ(error_of([&] { blobs.path(digest); }).kind(), ErrorKind::network);
  EXPECT_EQ(read_file(part), "all of");
  come_back();
  EXPECT_EQ(blobs.read(digest), "all of the bytes");
  EXPECT_FALSE(exists(part));
}

TEST_F(CachedBlobs, AWrongBeginningIsFetchedAnew) {
  const Digest digest = there.blobs->put("all of the bytes");
  const Path part = here.dir.path() / "cache" / "tmp" / (digest.hex() + ".object");
  for (const char* left : {"other", "something that is longer than the blob"}) {
    write_file_atomic(part, left);
    remove_file(here.file(digest));
    int restarts = 0;
    BlobWatch watch;
    watch.on_restart = [&] { ++restarts; };
    blobs.bring(digest, watch);
    EXPECT_EQ(restarts, 1);
    EXPECT_EQ(blobs.read(digest), "all of the bytes");
  }
  EXPECT_TRUE(here.leftovers().empty());
}

TEST_F(CachedBlobs, AnObjectWithOtherBytesIsNeverCached) {
  const Digest digest = there.blobs->put("right bytes");
  objects.damage(object_key(digest), "wrong bytes");
  EXPECT_EQ(error_of([&] { blobs.path(digest); }).kind(), ErrorKind::verification);
  EXPECT_EQ(error_of([&] { blobs.read(digest); }).kind(), ErrorKind::verification);
  EXPECT_FALSE(blobs.is_near(digest));
  EXPECT_TRUE(here.leftovers().empty());
  EXPECT_FALSE(blobs.verify(digest));
  blobs.quarantine(digest);
  EXPECT_FALSE(blobs.has(digest));
  ASSERT_EQ(blobs.quarantined().size(), 1u);
  EXPECT_EQ(blobs.quarantined()[0].digest, digest);
  EXPECT_EQ(objects.get("quarantine/" + digest.hex())->bytes, "wrong bytes");
  EXPECT_EQ(blobs.forget_quarantined(clock.wall_ms()), 0u);
  EXPECT_EQ(blobs.forget_quarantined(clock.wall_ms() + 1), 11u);
  EXPECT_TRUE(blobs.quarantined().empty());
}

TEST_F(CachedBlobs, TheCachesRightBytesReplaceAWrongObject) {
  const Digest digest = blobs.put("right bytes");
  objects.damage(object_key(digest), "wrong bytes");
  EXPECT_FALSE(blobs.verify(digest));
  blobs.quarantine(digest);
  EXPECT_EQ(blobs.quarantined().size(), 1u);
  EXPECT_EQ(there.blobs->read(digest), "right bytes");
}

TEST_F(CachedBlobs, ADamagedFileOfTheCacheIsFetchedAgain) {
  const Digest digest = blobs.put("right bytes");
  here.overwrite(digest, "wrong bytes");
  EXPECT_EQ(blobs.read(digest), "right bytes");
  here.overwrite(digest, "wrong bytes");
  EXPECT_TRUE(blobs.verify(digest)) << "the object is right";
  EXPECT_EQ(read_file(blobs.path(digest)), "right bytes");
  here.overwrite(digest, "torn");
  EXPECT_TRUE(blobs.touch(digest));
  EXPECT_EQ(read_file(blobs.path(digest)), "right bytes");
  here.overwrite(digest, "");
  EXPECT_FALSE(blobs.is_near(digest));
  EXPECT_EQ(read_file(blobs.path(digest)), "right bytes");
}

TEST_F(CachedBlobs, TouchingAsksTheObjectAndNotTheCache) {
  const Digest digest = blobs.put("bytes");
  const auto touches = count("touch");
  clock.advance_ms(kHourMs / 4);
  EXPECT_TRUE(blobs.touch(digest));
  EXPECT_EQ(*touches, 0);
  clock.advance_ms(kHourMs);
  EXPECT_TRUE(blobs.touch(digest));
  EXPECT_EQ(*touches, 1);
  EXPECT_EQ(blobs.find(digest)->touched_ms, clock.wall_ms());
  clock.advance_ms(kHourMs);
  blobs.put("bytes");
  EXPECT_EQ(*touches, 2);
  objects.remove(object_key(digest));
  EXPECT_FALSE(there.blobs->touch(digest));
  EXPECT_TRUE(blobs.touch(digest)) << "the cache has what the object store lost";
  EXPECT_TRUE(has_object(digest));
  objects.remove(object_key(digest));
  here.overwrite(digest, "other");
  EXPECT_FALSE(blobs.touch(digest));
  EXPECT_FALSE(has_object(digest));
}

TEST_F(CachedBlobs, ASweepRemovesWhatWasNotTouched) {
  const Digest digest = blobs.put("bytes");
  const int64_t put_ms = clock.wall_ms();
  EXPECT_FALSE(blobs.remove_untouched(digest, put_ms));
  EXPECT_TRUE(there.blobs->remove_untouched(digest, put_ms + 1));
  EXPECT_FALSE(has_object(digest));
  EXPECT_FALSE(blobs.remove_untouched(digest, put_ms + 1));
  const Digest again = blobs.put("bytes");
  EXPECT_TRUE(blobs.remove_untouched(again, put_ms + 1));
  EXPECT_FALSE(blobs.is_near(again));
}

TEST_F(CachedBlobs, ListsTheObjects) {
  blobs.put("here");
  const Digest far = there.blobs->put("there");
  objects.put("blobs/sha256/" + far.hex().substr(0, 2) + "/README", "a stranger");
  const std::vector<StoredBlob> listed = blobs.list(far.hex().substr(0, 2));
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].digest, far);
  EXPECT_EQ(listed[0].size_bytes, 5u);
  EXPECT_EQ(listed[0].touched_ms, clock.wall_ms());
  uint64_t all = 0, near = 0;
  blobs.for_each([&](const Digest&, uint64_t size_bytes) { all += size_bytes; });
  blobs.for_each_near([&](const Digest&, uint64_t size_bytes) { near += size_bytes; });
  EXPECT_EQ(all, 9u);
  EXPECT_EQ(near, 4u);
}

TEST_F(CachedBlobs, VerifiesALargeObjectWithoutKeepingIt) {
  const std::string large(9u << 20, 'x');
  const Digest digest = there.blobs->put(large);
  uint64_t seen = 0;
  EXPECT_TRUE(blobs.verify(digest, [&](uint64_t count) { seen += count; }));
  EXPECT_EQ(seen, large.size());
  EXPECT_FALSE(blobs.is_near(digest));
  objects.damage(object_key(digest), std::string(9u << 20, 'y'));
  EXPECT_FALSE(blobs.verify(digest));
  EXPECT_TRUE(here.leftovers().empty());
}

TEST_F(CachedBlobs, TidiesWhatKilledWritersLeft) {
  write_file_atomic(here.dir.path() / "cache" / "tmp" / "0123", "left");
  EXPECT_EQ(blobs.tidy(SystemClock().wall_ms() + kHourMs), 4u);
  EXPECT_TRUE(here.leftovers().empty());
}

TEST_F(CachedBlobs, UseIsNotedWhenItIsAMinuteOld) {
  const Digest digest = blobs.put("bytes");
  here.used_ago(digest, 30'000);
  const int64_t before_ns = file_info(here.file(digest))->mtime_ns;
  blobs.path(digest);
  EXPECT_EQ(file_info(here.file(digest))->mtime_ns, before_ns);
  here.used_ago(digest, kHourMs);
  blobs.read(digest);
  EXPECT_GT(file_info(here.file(digest))->mtime_ns / 1'000'000, SystemClock().wall_ms() - 60'000);
}

// A sweep and those who rely on what it may remove, on two machines. What touch() said is there is there afterwards.
TEST_F(CachedBlobs, ATouchedBlobIsNeverSweptWhateverTheOrder) {
  std::atomic<int> yields{0};
  objects.set_before([&](const std::string&, const std::string&) {
    if (++yields % 3 == 0) std::this_thread::yield();
  });
  const std::vector<std::string> contents = {"one", "two", "three", "four", "five", "six", "seven", "eight"};
  int swept = 0, kept = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<Digest> digests;
    for (const std::string& bytes : contents) digests.push_back(blobs.put(bytes));
    clock.advance_ms(48 * kHourMs);
    const int64_t since_ms = clock.wall_ms() - 24 * kHourMs;
    std::vector<char> removed(contents.size()), touched(contents.size());
    // Every other round the first touch is before the sweep: schedulers may let the sweeper win always.
    std::atomic<bool> first_touched{round % 2 == 0};
    std::thread sweeper([&] {
      while (!first_touched) std::this_thread::yield();
      const auto right = lease.use(1000);
      for (size_t i = 0; i < digests.size(); ++i) removed[i] = there.blobs->remove_untouched(digests[i], since_ms);
    });
    for (size_t i = digests.size(); i-- > 0;) {
      // The machine whose cache may bring it back, the one without it, or who puts the same bytes.
      if (round % 3 == 0) touched[i] = blobs.touch(digests[i]);
      if (round % 3 == 1) touched[i] = there.blobs->touch(digests[i]);
      if (round % 3 == 2) touched[i] = there.blobs->put(contents[i]) == digests[i];
      first_touched = true;
    }
    sweeper.join();
    for (size_t i = 0; i < digests.size(); ++i) {
      ASSERT_TRUE(!touched[i] || has_object(digests[i])) << "round " << round << " blob " << i;
      ASSERT_TRUE(touched[i] || removed[i]) << "round " << round << " blob " << i;
      swept += removed[i];
      kept += !removed[i];
    }
  }
  EXPECT_GT(swept, 0);
  EXPECT_GT(kept, 0);
}

// With the lease as it is used in earnest: one of each machine, over one that they share.
struct LeasedBlobs : ::testing::Test {
  SystemClock machine_clock;
  ManualClock clock{SystemClock().wall_ms()};
  MemoryObjects objects{clock};
  MemoryLease shared;
  std::unique_ptr<SharedLease> lease_here = share_lease(shared, machine_clock, {.linger_ms = 1});
  std::unique_ptr<SharedLease> lease_there = share_lease(shared, machine_clock, {.linger_ms = 1});
  Machine here{objects, *lease_here, clock}, there{objects, *lease_there, clock};
};

TEST_F(LeasedBlobs, ATouchWaitsForASweepAndSeesWhatItLeft) {
  for (int round = 0; round < 6; ++round) {
    const Digest digest = here.blobs->put("bytes");
    clock.advance_ms(48 * kHourMs);
    remove_file(here.file(digest));
    std::atomic<bool> sweeps{false}, touched{false};
    std::thread sweeper([&] {
      const auto right = lease_there->use();
      sweeps = true;
      if (round % 2 == 0) SystemClock().sleep_ms(20);
      EXPECT_FALSE(touched);
      EXPECT_TRUE(there.blobs->remove_untouched(digest, clock.wall_ms() - kHourMs));
    });
    while (!sweeps) std::this_thread::yield();
    touched = here.blobs->touch(digest);
    sweeper.join();
    EXPECT_FALSE(touched);
  }
}

TEST_F(LeasedBlobs, ASweepThatLostTheLeaseRemovesNothing) {
  const Digest digest = here.blobs->put("bytes");
  const int64_t later_ms = clock.wall_ms() + 1;
  objects.set_before([&](const std::string& what, const std::string&) {
    if (what == "head") shared.take_away();
  });
  EXPECT_EQ(error_of([&] { here.blobs->remove_untouched(digest, later_ms); }).kind(), ErrorKind::refused);
  EXPECT_EQ(error_of([&] { here.blobs->remove(digest); }).kind(), ErrorKind::refused);
  objects.set_before({});
  EXPECT_TRUE(objects.head(object_key(digest)));
}

}  // namespace
}  // namespace dae::mirror
