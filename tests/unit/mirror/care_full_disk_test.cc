// A storage that is full, and blobs that were damaged behind the mirror's back. Needs to mount: skipped without root.
#include <gtest/gtest.h>

#include "base/blob_store.h"
#include "base/hash.h"
#include "fixture.h"
#include "small_disk.h"

namespace dae::mirror {
namespace {

using testing::FakeIndex;
using testing::json_file;
using testing::json_page;
using testing::SmallDisk;
using testing::TestMirror;

constexpr const char* kJson = "application/vnd.pypi.simple.v1+json";
constexpr size_t kMiB = 1u << 20;

struct FullDisk : ::testing::Test {
  void SetUp() override {
    if (!disk.mounted()) GTEST_SKIP() << "cannot mount here";
    for (const auto& [name, bytes] : {std::pair(small_name, small), std::pair(large_name, large)}) {
      upstream.set_file(name, bytes);
    }
    upstream.set_page("demo",
                      json_page("demo", {json_file(small_name, Digest::of(small).hex()),
                                         json_file(large_name, Digest::of(large).hex())}),
                      kJson, "e1");
    mirror = std::make_unique<TestMirror>(upstream.simple_url(),
                                          [&](MirrorConfig& config) { config.storage = disk.path() / "storage"; });
    mirror->page("demo");
  }
  static std::string path_of(const std::string& name, const std::string& bytes) {
    const std::string hex = Digest::of(bytes).hex();
    return "/packages/" + hex.substr(0, 2) + "/" + hex + "/" + name;
  }
  // What a client has of it in the end; 0: the connection broke.
  int status_of(const std::string& path) {
    try {
      return mirror->get(path).status;
    } catch (const Error&) {
      return 0;
    }
  }
  const std::string small_name = "demo-1.0.tar.gz", small = "a small sdist";
  const std::string large_name = "demo-2.0.tar.gz", large = std::string(12 * kMiB, 'L');
  SmallDisk disk;
  FakeIndex upstream;
  std::unique_ptr<TestMirror> mirror;
};

TEST_F(FullDisk, AFileThatDoesNotFitLeavesNothingAndHarmsNoOther) {
  EXPECT_NE(status_of(path_of(large_name, large)), 200);
  const auto blobs = open_blob_store(mirror->config.storage / "blobs");
  EXPECT_FALSE(blobs->has(Digest::of(large)));
  EXPECT_TRUE(list_dir(mirror->config.storage / "blobs" / "tmp").empty());
  EXPECT_EQ(mirror->get(path_of(small_name, small)).body, small);
  EXPECT_EQ(mirror->page("demo").at("files").size(), 2u);
  EXPECT_EQ(mirror->get("/healthz").status, 200);
}

TEST_F(FullDisk, WhatIsKeptIsServedWhenNotAByteIsFree) {
  EXPECT_EQ(mirror->get(path_of(small_name, small)).status, 200);
  disk.fill();
  EXPECT_EQ(mirror->get(path_of(small_name, small)).body, small);
  EXPECT_EQ(mirror->page("demo").at("files").size(), 2u);
  mirror->clock.advance_ms(86'400'000);  // the page is to be asked for again, and cannot be written
  EXPECT_EQ(mirror->page("demo").at("files").size(), 2u);
  EXPECT_NE(status_of(path_of(large_name, large)), 200);
  remove_file(disk.path() / "filler");
  EXPECT_EQ(mirror->page("demo").at("files").size(), 2u);
  EXPECT_EQ(mirror->get(path_of(small_name, small)).body, small);
}

struct DamagedBlob : ::testing::Test {
  FakeIndex upstream;
  const std::string name = "demo-1.0-py3-none-any.whl", wheel = testing::make_wheel("demo", "1.0");
  const std::string hex = Digest::of(wheel).hex(), path = "/packages/" + hex.substr(0, 2) + "/" + hex + "/" + name;
};

TEST_F(DamagedBlob, OfAnotherSizeThanThePageSaysIsFetchedAgainBeforeItIsServed) {
  upstream.set_file(name, wheel);
  upstream.set_page("demo", json_page("demo", {json_file(name, hex, ",\"size\":" + std::to_string(wheel.size()))}),
                    kJson);
  TestMirror mirror(upstream.simple_url());
  mirror.page("demo");
  EXPECT_EQ(mirror.get(path).body, wheel);
  const auto blobs = open_blob_store(mirror.config.storage / "blobs");
  remove_file(blobs->path(Digest::of(wheel)));
  write_file_atomic(blobs->path(Digest::of(wheel)), wheel.substr(0, wheel.size() / 2));
  mirror.restart();
  EXPECT_EQ(mirror.get(path).body, wheel);
  EXPECT_EQ(upstream.files, 2);
  EXPECT_TRUE(blobs->verify(Digest::of(wheel)));
  EXPECT_EQ(list_dir(mirror.config.storage / "quarantine"), std::vector<std::string>{hex});
}

}  // namespace
}  // namespace dae::mirror
