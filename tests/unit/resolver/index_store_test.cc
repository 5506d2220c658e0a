// Packed pages and metadata, and the one file they are kept in.
#include "resolver/source/index_store.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "base/error.h"
#include "resolver/source/packed_metadata.h"
#include "resolver/source/page_cache.h"

namespace dae::resolver {
namespace {

using Kind = IndexStore::Kind;

ProjectPage sample_page() {
  ProjectPage page;
  page.name = "a";
  page.status = "archived";
  page.status_reason = "old";
  IndexFile file;
  file.name = "a-1.0-py2.py3-none-any.whl";
  file.url = "http://host/a/a-1.0-py2.py3-none-any.whl";
  file.sha256 = std::string(64, 'a');
  file.hashes = {{"sha256", file.sha256}, {"md5", "b"}};
  file.requires_python = ">=3.8";
  file.yanked = true;
  file.yanked_reason = "broken";
  file.size_bytes = 0;
  file.upload_time = "2024-01-02T03:04:05.678901Z";
  page.files.push_back(file);
  IndexFile other;
  other.name = "a-1!2.0+local.1.tar.gz";
  other.url = "http://host/elsewhere";
  other.has_metadata = true;
  other.metadata_sha256 = std::string(64, 'c');
  page.files.push_back(other);
  other.name = "no-version-of-ours.txt";
  page.files.push_back(other);
  return page;
}

TEST(PackedPage, KeepsEveryFieldOfAPageAndCountsWhatItLeavesOut) {
  const auto page = PackedPage::make(sample_page(), "http://host/");
  EXPECT_EQ(page->name(), "a");
  EXPECT_EQ(page->status(), "archived");
  EXPECT_EQ(page->status_reason(), "old");
  EXPECT_EQ(page->index_url(), "http://host/");
  EXPECT_EQ(page->unreadable_files(), 1u);
  ASSERT_EQ(page->releases(), 2u);
  EXPECT_EQ(page->version(0).text(), "1!2.0+local.1") << "newest first, too large for the 64-bit form";
  EXPECT_EQ(page->version(1).text(), "1.0");
  const PackedFile wheel = page->facts(1);
  EXPECT_TRUE(wheel.wheel);
  EXPECT_TRUE(wheel.yanked);
  EXPECT_EQ(page->tag_set(wheel.tag_set), "py2.py3-none-any");
  EXPECT_EQ(page->requires_python(wheel.requires_python), ">=3.8");
  EXPECT_EQ(wheel.upload_ms, 1704164645678);
  EXPECT_EQ(page->facts(0).upload_ms, PackedFile::kNoUploadTime);
  EXPECT_TRUE(page->facts(0).tar_gz);
  const IndexFile back = page->records(1)->at(0), given = sample_page().files[0];
  EXPECT_EQ(back.name, given.name);
  EXPECT_EQ(back.url, given.url);
  EXPECT_EQ(back.hashes, given.hashes);
  EXPECT_EQ(back.yanked_reason, given.yanked_reason);
  EXPECT_EQ(back.size_bytes, given.size_bytes);
  EXPECT_EQ(back.upload_time, given.upload_time);
  const IndexFile sdist = page->records(0)->at(0);
  EXPECT_EQ(sdist.url, "http://host/elsewhere");
  EXPECT_EQ(sdist.metadata_sha256, std::string(64, 'c'));
  EXPECT_TRUE(sdist.has_metadata);
  EXPECT_FALSE(sdist.size_bytes);
  EXPECT_EQ(*page->digest(1, 1), std::string(32, '\xaa'));
  EXPECT_EQ(*page->digest(0, 0), "");
}

// The 64-bit form of versions is part of the stored format: when it changes, so must the version of the format.
TEST(PackedPage, TheFormOfVersionsIsTheOneThatIsStored) {
  EXPECT_EQ(Version::parse("1.2.3rc4").small_key(), uint64_t{0x4010060080012});
  EXPECT_EQ(Version::from_small_key(Version::parse("2026.11").small_key())->text(), "2026.11");
  EXPECT_FALSE(Version::from_small_key(0));
}

TEST(PackedPage, DamagedBytesAreAMissAndNeverMore) {
  const PackedParts parts = PackedPage::pack(sample_page(), "");
  for (size_t size = 0; size < parts.hot.size(); ++size) {
    EXPECT_EQ(PackedPage::open(std::string_view(parts.hot).substr(0, size), parts.cold, nullptr), nullptr) << size;
  }
  for (size_t at = 0; at < parts.hot.size(); ++at) {
    std::string hot = parts.hot;
    hot[at] = static_cast<char>(hot[at] ^ 0xff);
    const auto page = PackedPage::open(hot, parts.cold, nullptr);
    if (page) page->unpacked();  // any answer
  }
  for (size_t at = 0; at < parts.cold.size(); ++at) {
    std::string cold = parts.cold;
    cold[at] = static_cast<char>(cold[at] ^ 0xff);
    const auto page = PackedPage::open(parts.hot, cold, nullptr);
    ASSERT_NE(page, nullptr);
    EXPECT_FALSE(page->unpacked()) << at;
  }
}

TEST(PackedMetadata, HoldsDependenciesInPieces) {
  const auto metadata = PackedMetadata::make(
      "Metadata-Version: 2.1\nName: A.b\nVersion: 1.0\nRequires-Python: >=3.8\nProvides-Extra: Fast_Mode\n"
      "Requires-Dist: Foo_Bar[z,Y] (<2,>=1) ; extra == 'fast-mode'\nRequires-Dist: c @ https://h/c.zip\n\n",
      "x");
  EXPECT_EQ(metadata->broken(), "");
  EXPECT_EQ(metadata->name(), "a-b");
  EXPECT_EQ(metadata->version(), "1.0");
  EXPECT_EQ(metadata->requires_python(), ">=3.8");
  ASSERT_EQ(metadata->provides_extra().size(), 1u);
  EXPECT_EQ(metadata->provides_extra()[0], "fast-mode");
  ASSERT_EQ(metadata->dependencies().size(), 2u);
  const Dependency& one = metadata->dependencies()[0];
  EXPECT_EQ(one.name, "foo-bar");
  EXPECT_EQ(one.extras, "y,z");
  EXPECT_EQ(one.specifier, "<2,>=1");
  EXPECT_TRUE(Marker::parse(std::string(one.marker)).evaluate({}, {"fast-mode"}));
  EXPECT_EQ(metadata->dependencies()[1].url, "https://h/c.zip");
  EXPECT_EQ(metadata->dependencies()[1].marker, "");
  const std::string bytes(metadata->bytes());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(PackedMetadata::open(std::string_view(bytes).substr(0, size), nullptr), nullptr);
  }
  EXPECT_NE(PackedMetadata::make("Name: a\n", "x")->broken(), "");
  EXPECT_NE(PackedMetadata::make("Metadata-Version: 2.1\nName: a\nVersion: 1\nRequires-Dist: b >>> 1\n", "x")->broken(),
            "");
}

class Warnings final : public EventSink {
 public:
  void emit(const Event& event) override { texts.push_back(event.text); }
  std::vector<std::string> texts;
};

class IndexStoreTest : public ::testing::Test {
 protected:
  IndexStore store(uint64_t limit_bytes = kDefaultCacheBytes) {
    return IndexStore(dir_.path() / "index", limit_bytes, clock_, events_);
  }
  Path file() const { return dir_.path() / "index" / "index-v2.pack"; }
  static std::string hot(const std::optional<IndexStore::Entry>& entry) {
    return entry ? std::string(entry->hot) : "(nothing)";
  }

  TempDir dir_;
  ManualClock clock_;
  Warnings events_;
};

TEST_F(IndexStoreTest, KeepsWhatWasPutUntilItIsReplacedOrRemoved) {
  auto one = store();
  EXPECT_FALSE(one.find(Kind::page, "k"));
  one.put(Kind::page, "k", "hot", "cold", "note", {1, 2});
  one.put(Kind::metadata, "k", "other", "", "", {});
  auto two = store();
  const auto found = two.find(Kind::page, "k");
  EXPECT_EQ(hot(found), "hot");
  EXPECT_EQ(found->cold, "cold");
  EXPECT_EQ(found->note, "note");
  EXPECT_EQ(found->lifetime.fresh_until_ms, 2);
  one.put(Kind::page, "k", "newer", "", "", {3, 4});
  EXPECT_EQ(hot(two.find(Kind::page, "k")), "newer") << "seen by who had the file open";
  EXPECT_EQ(found->hot, "hot") << "what was found stays as it was";
  two.renew(Kind::page, "k", {5, 6});
  EXPECT_EQ(one.peek(Kind::page, "k")->fetched_ms, 5);
  two.remove(Kind::page, "k");
  EXPECT_FALSE(one.find(Kind::page, "k"));
  EXPECT_EQ(hot(one.find(Kind::metadata, "k")), "other");
  EXPECT_GT(one.summary().dead_bytes, 0u);
}

TEST_F(IndexStoreTest, OpensNothingBeforeItIsNeeded) {
  { auto unused = store(); }
  EXPECT_FALSE(exists(file()));
  IndexStore none({}, kDefaultCacheBytes, clock_, events_);
  none.put(Kind::page, "k", "hot", "", "", {});
  EXPECT_FALSE(none.find(Kind::page, "k"));
}

TEST_F(IndexStoreTest, EveryChangedByteIsAMissOrLeavesTheEntryAsItWas) {
  { store().put(Kind::page, "key", "the hot part", "", "note", {}); }
  const std::string bytes = read_file(file());
  const size_t record = bytes.find("note") - 64;
  for (size_t at = record; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    write_file_atomic(file(), damaged, 0644, Durability::none);
    auto one = store();
    const auto found = one.find(Kind::page, "key");
    EXPECT_TRUE(!found || found->hot == "the hot part") << at;
    one.put(Kind::page, "key", "again", "", "", {});
    EXPECT_EQ(hot(one.find(Kind::page, "key")), "again") << at;
  }
}

TEST_F(IndexStoreTest, ADamagedFileIsSetAsideWithOneWarning) {
  make_dirs(file().parent_path());
  for (const std::string& junk : {std::string(100'000, 'x'), std::string("short")}) {
    write_file_atomic(file(), junk);
    events_.texts.clear();
    auto one = store();
    EXPECT_FALSE(one.find(Kind::page, "k"));
    one.put(Kind::page, "k", "hot", "", "", {});
    EXPECT_EQ(hot(one.find(Kind::page, "k")), "hot");
    EXPECT_EQ(read_file(Path(file()).concat(".damaged")), junk);
    EXPECT_EQ(events_.texts.size(), 1u);
  }
}

TEST_F(IndexStoreTest, AFileThatWasOnlyBegunIsFinished) {
  make_dirs(file().parent_path());
  for (const size_t size : {size_t{0}, size_t{5}, size_t{64}, size_t{2 << 20}}) {
    write_file_atomic(file(), std::string(size, '\0'));
    auto one = store();
    one.put(Kind::page, "k", "hot", "", "", {});
    EXPECT_EQ(hot(one.find(Kind::page, "k")), "hot") << size;
  }
  EXPECT_TRUE(events_.texts.empty());
}

TEST_F(IndexStoreTest, ADirectoryThatCannotBeMadeIsNoFailure) {
  write_file_atomic(dir_.path() / "index", "a file");
  auto one = store();
  one.put(Kind::page, "k", "hot", "", "", {});
  EXPECT_FALSE(one.find(Kind::page, "k"));
}

TEST_F(IndexStoreTest, ThreadsAndProcessesAddToOneFile) {
  constexpr int kEach = 300;
  const auto fill = [&](const std::string& who) {
    auto mine = store();
    for (int i = 0; i < kEach; ++i) {
      const std::string key = who + std::to_string(i);
      mine.put(Kind::page, key, "value of " + key, "", "", {});
    }
  };
  const pid_t child = ::fork();
  if (child == 0) {
    fill("child");
    ::_exit(0);
  }
  std::vector<std::thread> threads;
  for (const char* who : {"x", "y", "z"}) threads.emplace_back(fill, who);
  for (std::thread& thread : threads) thread.join();
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  auto one = store();
  for (const char* who : {"child", "x", "y", "z"}) {
    for (int i = 0; i < kEach; ++i) {
      const std::string key = who + std::to_string(i);
      ASSERT_EQ(hot(one.find(Kind::page, key)), "value of " + key);
    }
  }
}

TEST_F(IndexStoreTest, AWriterThatIsKilledLeavesWhatItFinished) {
  { store().put(Kind::page, "before", "hot", "", "", {}); }
  const pid_t child = ::fork();
  if (child == 0) {
    auto mine = store();
    for (int i = 0;; ++i) mine.put(Kind::page, "k" + std::to_string(i % 1000), std::string(5000, 'v'), "", "", {});
  }
  ::usleep(30'000);
  ::kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  auto one = store();
  EXPECT_EQ(hot(one.find(Kind::page, "before")), "hot");
  for (int i = 0; i < 1000; ++i) {
    if (const auto found = one.find(Kind::page, "k" + std::to_string(i))) {
      ASSERT_EQ(found->hot, std::string(5000, 'v'));
    }
  }
  one.put(Kind::page, "after", "hot", "", "", {});
  EXPECT_EQ(hot(one.find(Kind::page, "after")), "hot");
  EXPECT_TRUE(events_.texts.empty());
}

TEST_F(IndexStoreTest, WhenItIsFullWhatWasNotUsedForLongestGoes) {
  constexpr int64_t kDayMs = int64_t{24} * 3600 * 1000;
  constexpr uint64_t kLimit = 4 << 20;
  const std::string value(100'000, 'v');
  {
    auto first = store(kLimit);
    for (const char* key : {"old", "used"}) first.put(Kind::page, key, value, "", "", {});
  }
  clock_.advance_ms(kDayMs);
  { EXPECT_TRUE(store(kLimit).find(Kind::page, "used")); }  // noted when it closes
  clock_.advance_ms(kDayMs);
  auto reader = store(kLimit);
  const auto kept = reader.find(Kind::page, "old");
  auto writer = store(kLimit);
  for (int i = 0; i < 30; ++i) writer.put(Kind::page, "new" + std::to_string(i), value, "", "", {});
  writer.shrink(uint64_t{31} * 101'000);
  EXPECT_LE(writer.summary().file_bytes, kLimit + (1 << 20));
  EXPECT_FALSE(writer.find(Kind::page, "old"));
  EXPECT_TRUE(writer.find(Kind::page, "new29"));
  EXPECT_EQ(kept->hot, value) << "who reads the old file goes on reading it";
  writer.shrink(0);
  EXPECT_EQ(writer.summary().pages.entries, 0u);
  reader.put(Kind::page, "late", "hot", "", "", {});
  EXPECT_EQ(hot(writer.find(Kind::page, "late")), "hot") << "it went to the file that is in its place";
}

TEST_F(IndexStoreTest, TakesInWhatMadeItFullAndNeverGrowsBeyondItsLimit) {
  constexpr uint64_t kLimit = 4 << 20;
  auto one = store(kLimit);
  for (int i = 0; i < 200; ++i) {
    const std::string key = std::to_string(i);
    one.put(Kind::page, key, std::string(100'000, 'v'), "", "", {});
    ASSERT_TRUE(one.find(Kind::page, key)) << i;
  }
  EXPECT_LE(one.summary().file_bytes, kLimit);
}

TEST_F(IndexStoreTest, TheTableGrowsWithItsEntries) {
  auto one = store();
  for (int i = 0; i < 30'000; ++i) one.put(Kind::metadata, std::to_string(i), "v", "", "", {});
  for (int i = 0; i < 30'000; ++i) ASSERT_TRUE(one.find(Kind::metadata, std::to_string(i))) << i;
  EXPECT_EQ(one.list().size(), 30'000u);
}

TEST(CacheSize, IsReadAsPeopleWriteIt) {
  EXPECT_EQ(parse_size_bytes("500MB"), 500'000'000u);
  EXPECT_EQ(parse_size_bytes(" 2 GiB "), uint64_t{2} << 30);
  EXPECT_EQ(parse_size_bytes("17"), 17u);
  EXPECT_EQ(parse_size_bytes("1k"), 1024u);
  for (const char* bad : {"", "GiB", "-1", "1.5GiB", "9999999999TiB", "ten"}) {
    EXPECT_THROW(parse_size_bytes(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace dae::resolver
