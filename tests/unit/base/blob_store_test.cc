#include "base/blob_store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "base/error.h"

namespace dae {
namespace {

class BlobStoreTest : public ::testing::Test {
 protected:
  std::vector<std::string> leftovers() const { return list_dir(dir_.path() / "blobs" / "tmp"); }
  TempDir dir_;
  std::unique_ptr<BlobStore> store_ = open_blob_store(dir_.path() / "blobs");
};

TEST_F(BlobStoreTest, GivesBackWhatWasPut) {
  const Digest digest = store_->put("hello");
  EXPECT_EQ(digest, Digest::of("hello"));
  EXPECT_EQ(store_->read(digest), "hello");
  EXPECT_EQ(store_->size_bytes(digest), 5u);
  EXPECT_EQ(store_->path(digest), dir_.path() / "blobs/sha256" / digest.hex().substr(0, 2) / digest.hex());
  EXPECT_EQ(file_info(store_->path(digest))->mode & 0777, 0444u);
  EXPECT_TRUE(leftovers().empty());
}

TEST_F(BlobStoreTest, KnowsWhatIsNotThere) {
  const Digest none = Digest::of("nothing");
  EXPECT_FALSE(store_->has(none));
  EXPECT_FALSE(store_->has(Digest()));
  EXPECT_FALSE(store_->remove(none));
  EXPECT_FALSE(store_->verify(none));
  try {
    store_->read(none);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_EQ(error.subject(), none.oci());
  }
}

TEST_F(BlobStoreTest, StoresNothingUnderAWrongDigest) {
  const auto writer = store_->writer();
  writer->write("other bytes");
  try {
    writer->commit(Digest::of("bytes"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::verification);
  }
  EXPECT_FALSE(store_->has(Digest::of("bytes")));
  EXPECT_FALSE(store_->has(Digest::of("other bytes")));
  EXPECT_TRUE(leftovers().empty());
}

TEST_F(BlobStoreTest, ForgetsAWriterThatDidNotCommit) {
  {
    const auto writer = store_->writer();
    writer->write("half");
    EXPECT_EQ(leftovers().size(), 1u);
  }
  EXPECT_TRUE(leftovers().empty());
}

TEST_F(BlobStoreTest, StartsOver) {
  const auto writer = store_->writer();
  writer->write("a longer first attempt");
  writer->restart();
  writer->write("second");
  EXPECT_EQ(writer->size_bytes(), 6u);
  EXPECT_EQ(writer->commit(Digest::of("second")), Digest::of("second"));
  EXPECT_EQ(store_->read(Digest::of("second")), "second");
}

TEST_F(BlobStoreTest, TakesAFileIn) {
  write_file_atomic(dir_.path() / "f", "bytes");
  EXPECT_EQ(store_->adopt(dir_.path() / "f"), Digest::of("bytes"));
  EXPECT_FALSE(exists(dir_.path() / "f"));
  write_file_atomic(dir_.path() / "f", "bytes");
  EXPECT_EQ(store_->adopt(dir_.path() / "f", Digest::of("bytes")), Digest::of("bytes")) << "twice is fine";
  EXPECT_FALSE(exists(dir_.path() / "f"));
  write_file_atomic(dir_.path() / "f", "wrong");
  EXPECT_THROW(store_->adopt(dir_.path() / "f", Digest::of("right")), Error);
  EXPECT_TRUE(exists(dir_.path() / "f"));
  const TempDir elsewhere("dae-", "/dev/shm");
  write_file_atomic(elsewhere.path() / "g", "from another file system");
  EXPECT_EQ(store_->read(store_->adopt(elsewhere.path() / "g")), "from another file system");
}

TEST_F(BlobStoreTest, ListsInOrderAndRemoves) {
  std::set<Digest> put = {store_->put("a"), store_->put("b"), store_->put("c")};
  write_file_atomic(dir_.path() / "blobs/sha256/README", "a stranger");
  std::vector<Digest> seen;
  store_->for_each([&](const Digest& digest, uint64_t size_bytes) {
    EXPECT_EQ(size_bytes, 1u);
    seen.push_back(digest);
  });
  EXPECT_EQ(seen, std::vector<Digest>(put.begin(), put.end()));
  EXPECT_TRUE(store_->remove(seen[0]));
  EXPECT_FALSE(store_->has(seen[0]));
}

TEST_F(BlobStoreTest, NoticesChangedBytes) {
  const Digest digest = store_->put("good");
  EXPECT_TRUE(store_->verify(digest));
  set_mode(store_->path(digest), 0644);
  append_file(store_->path(digest), "!");
  EXPECT_FALSE(store_->verify(digest));
}

TEST_F(BlobStoreTest, LetsManyWriteTheSameBytes) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) store_->put("blob " + std::to_string(i));
    });
  }
  for (auto& thread : threads) thread.join();
  int blobs = 0;
  store_->for_each([&](const Digest& digest, uint64_t) {
    EXPECT_TRUE(store_->verify(digest));
    ++blobs;
  });
  EXPECT_EQ(blobs, 5);
  EXPECT_TRUE(leftovers().empty());
}

TEST_F(BlobStoreTest, PuttingWhatExistsTouchesIt) {
  const Path file = dir_.path() / "file";
  const std::vector<std::function<void()>> ways = {
      [&] { store_->put("hello"); },
      [&] {
        const auto writer = store_->writer();
        writer->write("hello");
        writer->commit();
      },
      [&] {
        write_file_atomic(file, "hello");
        store_->adopt(file);
      },
      [&] {
        write_file_atomic(file, "hello");
        store_->copy_in(file);
      },
      [&] { EXPECT_TRUE(store_->touch(Digest::of("hello"))); },
  };
  const Digest digest = store_->put("hello");
  for (const auto& put_again : ways) {
    std::filesystem::last_write_time(store_->path(digest),
                                     std::filesystem::file_time_type::clock::now() - std::chrono::hours(5));
    const int64_t old_ms = store_->list(digest.hex().substr(0, 2)).at(0).touched_ms;
    put_again();
    EXPECT_GT(store_->list(digest.hex().substr(0, 2)).at(0).touched_ms, old_ms + 4 * 3'600'000);
  }
  EXPECT_FALSE(store_->touch(Digest::of("nothing")));
}

TEST_F(BlobStoreTest, RemovesOnlyWhatWasNotTouchedSince) {
  const Digest digest = store_->put("hello");
  const int64_t touched_ms = store_->list(digest.hex().substr(0, 2)).at(0).touched_ms;
  EXPECT_FALSE(store_->remove_untouched(digest, touched_ms));
  EXPECT_EQ(store_->read(digest), "hello");
  EXPECT_TRUE(store_->remove_untouched(digest, touched_ms + 1));
  EXPECT_FALSE(store_->has(digest));
  EXPECT_FALSE(store_->remove_untouched(digest, touched_ms + 1));
  EXPECT_TRUE(leftovers().empty());
}

TEST_F(BlobStoreTest, TidiesUpAfterKills) {
  const Digest digest = store_->put("hello");
  const Path tmp = dir_.path() / "blobs" / "tmp";
  rename_path(store_->path(digest), tmp / (digest.hex() + ".removed"));
  write_file_atomic(tmp / "old", "12345");
  write_file_atomic(tmp / "new", "123");
  std::filesystem::last_write_time(tmp / "old", std::filesystem::file_time_type::clock::now() - std::chrono::hours(5));
  EXPECT_EQ(store_->tidy(file_info(tmp / "new")->mtime_ns / 1'000'000 - 3'600'000), 5u);
  EXPECT_EQ(store_->read(digest), "hello");
  EXPECT_EQ(leftovers(), std::vector<std::string>{"new"});
}

TEST_F(BlobStoreTest, ListsDamagedBlobsToo) {
  const Digest digest = store_->put("hello");
  remove_file(store_->path(digest));
  write_file_atomic(store_->path(digest), "");
  const std::vector<StoredBlob> found = store_->list(digest.hex().substr(0, 2));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].digest, digest);
  EXPECT_EQ(found[0].size_bytes, 0u);
}

TEST_F(BlobStoreTest, TakesManyPartsAtOnceAndThoseThatOthersTook) {
  const Digest one = Digest::of("one"), two = Digest::of("two");
  write_file_atomic(store_->part(one), "one");
  store_->put("two");
  int named = 0;
  store_->adopt_parts({{one, store_->part(one)}, {two, store_->part(two)}}, [&] { ++named; });
  EXPECT_EQ(named, 2);
  EXPECT_EQ(store_->read(one), "one");
  EXPECT_TRUE(leftovers().empty());
  const Digest nowhere = Digest::of("nowhere");
  EXPECT_THROW(store_->adopt_parts({{nowhere, store_->part(nowhere)}}), Error);
}

TEST_F(BlobStoreTest, KeepsWrongBytesWhereNothingServesThem) {
  const Digest digest = store_->put("bytes");
  set_mode(store_->path(digest), 0644);
  append_file(store_->path(digest), "!");
  uint64_t hashed_bytes = 0;
  EXPECT_FALSE(store_->verify(digest, [&](uint64_t count) { hashed_bytes += count; }));
  EXPECT_EQ(hashed_bytes, 6u);
  store_->quarantine(digest);
  store_->quarantine(digest);
  EXPECT_FALSE(store_->has(digest));
  EXPECT_FALSE(store_->find(digest));
  EXPECT_FALSE(store_->verify(digest));
  ASSERT_EQ(store_->quarantined().size(), 1u);
  EXPECT_EQ(store_->quarantined()[0].digest, digest);
  EXPECT_EQ(read_file(dir_.path() / "quarantine" / digest.hex()), "bytes!");
  const int64_t taken_ms = store_->quarantined()[0].touched_ms;
  EXPECT_EQ(store_->forget_quarantined(taken_ms), 0u);
  EXPECT_EQ(store_->forget_quarantined(taken_ms + 1), 6u);
  EXPECT_TRUE(store_->quarantined().empty());
}

}  // namespace
}  // namespace dae
