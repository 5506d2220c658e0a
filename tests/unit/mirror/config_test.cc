#include <gtest/gtest.h>

#include "mirror/mirror.h"
#include "mirror/storage/storage.h"

namespace dae::mirror {
namespace {

MirrorConfig parse(const std::string& yaml) {
  return parse_mirror_config(parse_yaml(yaml, "mirror.yaml"));
}

std::string refusal(const std::string& yaml) {
  try {
    parse(yaml);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    return error.what();
  }
  return "accepted";
}

TEST(MirrorConfig, HasAPipIndexWhenNoneIsNamed) {
  const MirrorConfig config = parse("storage: /srv/mirror\n");
  ASSERT_EQ(config.indexes.size(), 1u);
  EXPECT_EQ(config.indexes[0].name, "pypi");
  EXPECT_EQ(config.indexes[0].upstream, "pip");
  EXPECT_EQ(config.storage, Path("/srv/mirror"));
  EXPECT_EQ(config.port, 8400);
  EXPECT_FALSE(config.sparse_manifests);
}

TEST(MirrorConfig, ReadsIndexesAddressAndLimits) {
  const MirrorConfig config = parse(
      "storage: here\n"
      "listen: \"[::1]:8500\"\n"
      "indexes:\n"
      "  pypi: {upstream: pip, mode: pull-through, frozen: true}\n"
      "  team: {upstream: \"https://index.example/simple\"}\n"
      "limits: {page: 2MiB, file: 1 GB}\n"
      "registry: {sparse: true}\n");
  ASSERT_EQ(config.indexes.size(), 2u);
  EXPECT_TRUE(config.indexes[0].frozen);
  EXPECT_FALSE(config.indexes[1].frozen);
  EXPECT_EQ(config.indexes[1].upstream, "https://index.example/simple/");
  EXPECT_EQ(config.address, "::1");
  EXPECT_EQ(config.port, 8500);
  EXPECT_EQ(config.page_limit_bytes, 2u << 20);
  EXPECT_EQ(config.file_limit_bytes, 1'000'000'000u);
  EXPECT_TRUE(config.sparse_manifests);
}

TEST(MirrorConfig, ReadsASharedStorage) {
  const MirrorConfig config = parse(
      "storage: \"s3://bucket/team/?endpoint=http%3A%2F%2F127.0.0.1%3A9000\"\ncache: /var/cache/m\n"
      "cache_limit: 2GiB\nlease: \"etcd://a:2379,b:2379/mirror\"\n");
  EXPECT_EQ(config.storage, "/var/cache/m");
  ASSERT_TRUE(config.shared);
  EXPECT_EQ(config.shared->bucket.bucket, "bucket");
  EXPECT_EQ(config.shared->bucket.prefix, "team/");
  EXPECT_EQ(config.shared->cache_bytes, 2ull << 30);
  EXPECT_EQ(config.shared->lease->endpoints.size(), 2u);
  const MirrorConfig other = parse("storage: \"s3://bucket/team/\"\n");
  EXPECT_FALSE(other.shared->lease);
  EXPECT_FALSE(other.storage.empty());
  EXPECT_NE(other.storage, parse("storage: \"s3://bucket/other/\"\n").storage);
}

TEST(MirrorConfig, RefusesStoragesThatAreNoneAtTheirPosition) {
  EXPECT_NE(refusal("storage: ftp://bucket/prefix\n").find("mirror.yaml:1:"), std::string::npos);
  EXPECT_NE(refusal("storage: \"s3://\"\n").find("mirror.yaml:1:"), std::string::npos);
  EXPECT_NE(refusal("storage: \"s3://bucket/\"\nlease: redis://x\n").find("mirror.yaml:2:"), std::string::npos);
  EXPECT_NE(refusal("storage: here\nlease: \"etcd://a:1/k\"\n").find("goes with"), std::string::npos);
}

TEST(MirrorConfig, RefusesUnknownKeysNamesAndValues) {
  EXPECT_NE(refusal("storage: here\nstorge: there\n").find("mirror.yaml:2:1"), std::string::npos);
  EXPECT_NE(refusal("storage: here\nindexes: {v2: {upstream: pip}}\n").find("cannot be the name"), std::string::npos);
  EXPECT_NE(refusal("storage: here\nindexes: {a/b: {upstream: pip}}\n").find("cannot be the name"), std::string::npos);
  EXPECT_NE(refusal("storage: here\nindexes: {a: {upstream: \"ftp://x/\"}}\n").find("neither `pip`"),
            std::string::npos);
  EXPECT_NE(refusal("storage: here\nlisten: 8400\n"), "accepted");
  EXPECT_NE(refusal("storage: here\nlisten: \"127.0.0.1:99999\"\n"), "accepted");
  EXPECT_NE(refusal("storage: here\nlimits: {page: much}\n"), "accepted");
  EXPECT_NE(refusal("storage: here\nlimits: {page: -1}\n"), "accepted");
  EXPECT_NE(refusal("storage: here\nregistry: {sparse: some}\n"), "accepted");
  EXPECT_NE(refusal("storage: here\nregistry: {spare: true}\n"), "accepted");
  EXPECT_NE(refusal("indexes: {}\n"), "accepted");
}

}  // namespace
}  // namespace dae::mirror
