// Metadata of files by the cheapest way an index allows.
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <vector>

#include "base/error.h"
#include "fake_index.h"
#include "resolver/source/index.h"
#include "resolver/source/zip_tail.h"
#include "support/zip_writer.h"

namespace dae::resolver {
namespace {

using dae::testing::make_zip;
using dae::testing::WheelBuilder;
using testing::FakeIndex;

ErrorKind kind_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "no error";
  return ErrorKind::failed;
}

// As the client hands it out.
std::string packed(const std::string& metadata) {
  return PackedMetadata::pack(metadata, "");
}

class MetadataLadderTest : public ::testing::Test {
 protected:
  std::unique_ptr<IndexClient> client(bool offline = false) {
    IndexOptions options;
    options.indexes = {index_.simple()};
    options.cache_dir = dir_.path() / "cache";
    options.offline = offline;
    options.build_metadata = build_;
    options.build_tag = build_tag_;
    options.blobs = blobs_.get();
    return make_index_client(*transport_, options, events_);
  }
  // Puts a wheel on the index and returns how its page would list it.
  IndexFile serve(const WheelBuilder& wheel, bool ranges) {
    const std::string bytes = wheel.bytes();
    index_.set("/files/" + wheel.file_name(),
               {ServerResponse::text(200, bytes, "application/octet-stream"), ranges, ""});
    return listed(wheel.file_name(), bytes);
  }
  IndexFile listed(const std::string& name, const std::string& bytes) const {
    IndexFile file;
    file.name = name;
    file.url = index_.url() + "/files/" + name;
    file.sha256 = Digest::of(bytes).hex();
    return file;
  }
  int asked(const IndexFile& file, const std::string& suffix = "") const {
    return index_.asked("/files/" + file.name + suffix);
  }
  // Larger than what is read of the end of a wheel.
  static std::string filler() { return std::string(200'000, 'x'); }

  TempDir dir_;
  NullSink events_;
  FakeIndex index_;
  std::function<std::string(const IndexFile&, const Path&)> build_;
  std::string build_tag_;
  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<Transport> transport_ = make_http_client();
};

TEST_F(MetadataLadderTest, AnnouncedMetadataIsCheckedAgainstItsDigest) {
  WheelBuilder wheel("a", "1.0");
  IndexFile file = serve(wheel, true);
  file.has_metadata = true;
  file.metadata_sha256 = Digest::of(wheel.metadata()).hex();
  index_.set_text("/files/" + file.name + ".metadata", wheel.metadata());
  EXPECT_EQ(client()->metadata(file, "a")->bytes(), packed(wheel.metadata()));
  EXPECT_EQ(asked(file), 0);

  file.sha256 = std::string(64, '1');  // another file: nothing cached
  index_.set_text("/files/" + file.name + ".metadata", wheel.metadata() + "altered");
  EXPECT_EQ(kind_of([&] { client()->metadata(file, "a"); }), ErrorKind::verification);
  EXPECT_EQ(asked(file), 0) << "an altered file is not worked around";
}

TEST_F(MetadataLadderTest, UnannouncedMetadataIsTriedAndKeptForEver) {
  WheelBuilder wheel("a", "1.0");
  const IndexFile file = serve(wheel, true);
  index_.set_text("/files/" + file.name + ".metadata", wheel.metadata());
  EXPECT_EQ(client()->metadata(file, "a")->bytes(), packed(wheel.metadata()));
  auto later = client(true);
  EXPECT_EQ(later->metadata(file, "a")->bytes(), packed(wheel.metadata()));
  EXPECT_EQ(later->stats().metadata_from_cache, 1);
  EXPECT_EQ(index_.asked(), 1);
}

TEST_F(MetadataLadderTest, AHostWithoutMetadataFilesIsAskedForOneOnly) {
  const IndexFile a = serve(WheelBuilder("a", "1.0").deflated(), true);
  const IndexFile b = serve(WheelBuilder("b", "1.0").file("b/big.bin", filler()), true);
  EXPECT_EQ(client()->metadata(a, "a")->bytes(), packed(WheelBuilder("a", "1.0").metadata()));
  EXPECT_EQ(client()->metadata(b, "b")->bytes(), packed(WheelBuilder("b", "1.0").metadata()))
      << "remembered in the cache directory";
  EXPECT_EQ(asked(a, ".metadata") + asked(b, ".metadata"), 1);
  EXPECT_EQ(asked(b), 1) << "the end of the wheel was enough";
  EXPECT_EQ(index_.last_header("/files/" + b.name, "Accept-Encoding"), "identity");
}

TEST_F(MetadataLadderTest, MetadataAheadOfTheTailTakesASecondRange) {
  // Its METADATA stands before a large RECORD-like member.
  const std::string bytes = make_zip(
      {{"a-1.0.dist-info/METADATA", WheelBuilder("a", "1.0").metadata(), false, true}, {"a/big.bin", filler()}});
  const std::string name = "a-1.0-py3-none-any.whl";
  index_.set("/files/" + name, {ServerResponse::text(200, bytes), true, ""});
  EXPECT_EQ(client()->metadata(listed(name, bytes), "a")->bytes(), packed(WheelBuilder("a", "1.0").metadata()));
  EXPECT_EQ(index_.asked("/files/" + name), 2);
}

TEST_F(MetadataLadderTest, WithoutRangesTheWholeWheelIsReadAndTheHostRemembered) {
  const IndexFile a = serve(WheelBuilder("a", "1.0").file("a/big.bin", filler()), false);
  const IndexFile b = serve(WheelBuilder("b", "1.0").file("b/big.bin", filler()), false);
  EXPECT_EQ(client()->metadata(a, "a")->bytes(), packed(WheelBuilder("a", "1.0").metadata()));
  EXPECT_EQ(asked(a), 1) << "what came instead of the range was all of it";
  EXPECT_EQ(client()->metadata(b, "b")->bytes(), packed(WheelBuilder("b", "1.0").metadata()));
  EXPECT_EQ(asked(b), 1) << "no range was tried";
}

TEST_F(MetadataLadderTest, EveryWheelTakesOneRequestWhereTheIndexAnnouncesAndOneRangeWhereItDoesNot) {
  std::vector<IndexFile> plain, announced;
  for (int i = 0; i < 20; ++i) {
    const std::string name = "p" + std::to_string(i);
    plain.push_back(serve(WheelBuilder(name, "1.0").file(name + "/big.bin", filler()).deflated(), true));
    announced.push_back(plain.back());
    announced.back().sha256 = std::string(64, static_cast<char>('a' + i % 6));
    announced.back().sha256[0] = static_cast<char>('0' + i % 10);
    announced.back().has_metadata = true;
  }
  const auto ask_at_once = [&](const std::vector<IndexFile>& files) {
    auto one = client();
    for (const IndexFile& file : files) one->prefetch_metadata(file, file.name.substr(0, file.name.find('-')));
    for (const IndexFile& file : files) one->metadata(file, file.name.substr(0, file.name.find('-')));
  };
  ask_at_once(plain);
  EXPECT_EQ(index_.asked(), 21) << "one guess told that there is no metadata file beside a wheel";
  for (const IndexFile& file : announced) {
    index_.set_text("/files/" + file.name + ".metadata",
                    WheelBuilder(file.name.substr(0, file.name.find('-')), "1.0").metadata());
  }
  const int before = index_.asked();
  ask_at_once(announced);
  EXPECT_EQ(index_.asked() - before, 20);
}

TEST_F(MetadataLadderTest, WhereThePageTellsTheSizeTheRangeHasABeginningAndAnEnd) {
  IndexFile file = serve(WheelBuilder("a", "1.0").file("a/big.bin", filler()), true);
  const std::string bytes = WheelBuilder("a", "1.0").file("a/big.bin", filler()).bytes();
  file.size_bytes = bytes.size();
  client()->metadata(file, "a");
  EXPECT_EQ(index_.last_header("/files/" + file.name, "Range"),
            "bytes=" + std::to_string(bytes.size() - (32 << 10)) + "-" + std::to_string(bytes.size() - 1));
}

TEST_F(MetadataLadderTest, AFileThatIsLargerThanItsPageSaysIsRefused) {
  IndexFile file = serve(WheelBuilder("a", "1.0").file("a/big.bin", filler()), false);
  file.size_bytes = 1000;
  EXPECT_EQ(kind_of([&] { client()->metadata(file, "a"); }), ErrorKind::verification);
}

TEST_F(MetadataLadderTest, AWholeWheelWithAnotherDigestIsRefused) {
  IndexFile file = serve(WheelBuilder("a", "1.0").file("a/big.bin", filler()), false);
  file.sha256 = std::string(64, '2');
  EXPECT_EQ(kind_of([&] { client()->metadata(file, "a"); }), ErrorKind::verification);
}

TEST_F(MetadataLadderTest, AServerThatAnswersEverythingWithAPageIsSeenThrough) {
  const IndexFile file = serve(WheelBuilder("a", "1.0"), true);
  index_.set_text("/files/" + file.name + ".metadata", "<html>welcome</html>", "text/html");
  EXPECT_EQ(client()->metadata(file, "a")->bytes(), packed(WheelBuilder("a", "1.0").metadata()));
}

TEST_F(MetadataLadderTest, MetadataOfAnotherVersionIsRefused) {
  WheelBuilder other("a", "2.0");
  IndexFile file = listed("a-1.0-py3-none-any.whl", "");
  file.has_metadata = true;
  index_.set_text("/files/" + file.name + ".metadata", other.metadata());
  EXPECT_EQ(kind_of([&] { client()->metadata(file, "a"); }), ErrorKind::bad_input);
}

TEST_F(MetadataLadderTest, ARefusalOfAnAnnouncedFileIsAnError) {
  IndexFile file = serve(WheelBuilder("a", "1.0"), true);
  file.has_metadata = true;
  index_.set_status("/files/" + file.name + ".metadata", 403);
  EXPECT_EQ(kind_of([&] { client()->metadata(file, "a"); }), ErrorKind::refused);
}

TEST_F(MetadataLadderTest, OfflineSaysWhatIsMissing) {
  const IndexFile file = serve(WheelBuilder("a", "1.0"), true);
  EXPECT_EQ(kind_of([&] { client(true)->metadata(file, "a"); }), ErrorKind::refused);
  EXPECT_EQ(index_.asked(), 0);
}

TEST_F(MetadataLadderTest, AnSdistIsTrustedWhereItSaysItsFieldsAreFinal) {
  const std::string info = "Metadata-Version: 2.2\nName: a\nVersion: 1.0\nRequires-Dist: b\n\n";
  const std::string bytes = make_zip({{"a-1.0/PKG-INFO", info}, {"a-1.0/a.egg-info/PKG-INFO", "junk"}});
  index_.set_text("/files/a-1.0.zip", bytes);
  EXPECT_EQ(client()->metadata(listed("a-1.0.zip", bytes), "a")->bytes(), packed(info));
}

TEST_F(MetadataLadderTest, AnSdistWhosePyprojectLeavesNothingOpenIsNotBuiltAndKeptForItsInstallation) {
  const std::string project =
      "[project]\nname = 'A'\nversion = '1.0'\ndependencies = ['b>=2']\n[project.optional-dependencies]\nx = ['c']\n";
  const std::string bytes = make_zip(
      {{"a-1.0/PKG-INFO", "Metadata-Version: 2.1\nName: a\nVersion: 1.0\n\n"}, {"a-1.0/pyproject.toml", project}});
  index_.set_text("/files/a-1.0.zip", bytes);
  blobs_ = open_blob_store(dir_.path() / "blobs");
  build_ = [](const IndexFile&, const Path&) -> std::string { throw Error(ErrorKind::failed, "built"); };
  const auto metadata = client()->metadata(listed("a-1.0.zip", bytes), "a");
  EXPECT_EQ(asked(listed("a-1.0.zip", bytes)), 1);
  EXPECT_TRUE(blobs_->has(Digest::of(bytes)));
  ASSERT_EQ(metadata->dependencies().size(), 2u);
  EXPECT_EQ(metadata->dependencies()[0].name, "b");
  EXPECT_EQ(metadata->provides_extra(), std::vector<std::string_view>{"x"});
}

TEST_F(MetadataLadderTest, AnSdistWithDynamicFieldsNeedsABuild) {
  for (const char* info : {"Metadata-Version: 2.2\nName: a\nVersion: 1.0\nDynamic: Requires-Dist\n\n",
                           "Metadata-Version: 2.1\nName: a\nVersion: 1.0\n\n"}) {
    const std::string bytes = make_zip({{"a-1.0/PKG-INFO", info}});
    index_.set_text("/files/a-1.0.zip", bytes);
    const IndexFile file = listed("a-1.0.zip", bytes);
    build_ = nullptr;
    EXPECT_EQ(kind_of([&] { client()->metadata(file, "a"); }), ErrorKind::failed);
    build_ = [&](const IndexFile& given, const Path& sdist) {
      EXPECT_EQ(given.name, "a-1.0.zip");
      EXPECT_EQ(read_file(sdist), bytes);
      return std::string("Metadata-Version: 2.1\nName: a\nVersion: 1.0\nRequires-Dist: built\n\n");
    };
    EXPECT_NE(client()->metadata(file, "a")->bytes().find("built"), std::string_view::npos);
  }
}

TEST_F(MetadataLadderTest, WhatABuildToldIsKeptForItsInterpreterOnly) {
  const std::string bytes = make_zip({{"a-1.0/setup.py", ""}});
  index_.set_text("/files/a-1.0.zip", bytes);
  const IndexFile file = listed("a-1.0.zip", bytes);
  int builds = 0;
  build_ = [&](const IndexFile&, const Path&) {
    ++builds;
    return std::string("Metadata-Version: 2.4\nName: a\nVersion: 1.0\n\n");
  };
  const std::vector<std::pair<const char*, int>> steps{
      {"cpython-311", 1}, {"cpython-311", 1}, {"cpython-312", 2}, {"", 3}, {"", 4}, {"cpython-312", 4}};
  for (const auto& [tag, expected] : steps) {
    build_tag_ = tag;
    client()->metadata(file, "a");
    EXPECT_EQ(builds, expected) << tag;
  }
}

// ---- the zip reader alone

std::string read_all(const std::string& archive, size_t tail_bytes = 1 << 20) {
  ZipTail tail{archive.substr(archive.size() - std::min(tail_bytes, archive.size())), archive.size()};
  return wheel_metadata_from_tail(
      tail,
      [&](uint64_t offset, uint64_t size) {
        if (offset > archive.size() || size > archive.size() - offset) {
          throw Error(ErrorKind::bad_input, "range beyond the end");
        }
        return archive.substr(offset, size);
      },
      "test.whl");
}

TEST(ZipTailReader, ReadsWhateverPartOfTheArchiveItWasGiven) {
  const std::string archive =
      make_zip({{"a/x", std::string(300, 'y')}, {"a-1.dist-info/METADATA", "hello", false, true}});
  for (size_t tail = 22; tail <= archive.size(); ++tail) EXPECT_EQ(read_all(archive, tail), "hello") << tail;
}

TEST(ZipTailReader, IsNotFooledByACommentThatLooksLikeAnEnd) {
  const std::string decoy("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22);
  const std::string archive = make_zip({{"a-1.dist-info/METADATA", "hello"}}, decoy + "x");
  EXPECT_EQ(read_all(archive), "hello");
}

TEST(ZipTailReader, RefusesArchivesThatTwoReadersWouldReadDifferently) {
  const auto refused = [](const std::string& archive) {
    return kind_of([&] { read_all(archive); }) == ErrorKind::bad_input;
  };
  EXPECT_TRUE(refused(make_zip({{"a-1.dist-info/METADATA", "one"}, {"b-1.dist-info/METADATA", "two"}})));
  EXPECT_TRUE(refused(make_zip({{"a-1.dist-info/METADATA", "one", false, false, "b-1.dist-info/METADATA"}})));
  EXPECT_TRUE(refused("prefix" + make_zip({{"a-1.dist-info/METADATA", "one"}})));
  EXPECT_TRUE(refused(make_zip({{"a/METADATA", "one"}})));
  EXPECT_TRUE(refused(""));
}

TEST(ZipTailReader, SurvivesDamageOfEveryByte) {
  const std::string text = "Name: a\nVersion: 1\n";
  const std::string archive = make_zip({{"a/x", "data"}, {"a-1.dist-info/METADATA", text, false, true}});
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = archive;
    for (size_t flips = 1 + random() % 3; flips > 0; --flips)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    if (round % 5 == 0) damaged.resize(random() % damaged.size());
    try {
      // The checksum stands in the directory: bytes that pass are those that were packed.
      EXPECT_EQ(read_all(damaged, 1 + random() % 400), text);
      ++accepted;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    }
  }
  EXPECT_GT(accepted, 0) << "damage outside of what is read does no harm";
}

}  // namespace
}  // namespace dae::resolver
