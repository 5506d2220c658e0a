#include <gtest/gtest.h>

#include "mirror/mirror.h"

namespace dae::mirror {
namespace {

MirrorConfig parse(const std::string& rest) {
  return parse_mirror_config(parse_yaml("storage: here\n" + rest, "mirror.yaml"));
}

std::string refusal(const std::string& rest) {
  try {
    parse(rest);
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST(UploadConfig, APrivateIndexHasNoUpstreamAndTakesUploadsWhenItSaysSo) {
  const MirrorConfig config = parse(
      "indexes: {team: {mode: private, uploads: true}, old: {mode: private, immutable: false}}\n"
      "limits: {upload: 3MiB}\n");
  ASSERT_EQ(config.indexes.size(), 2u);
  EXPECT_EQ(config.indexes[0].upstream, "");
  EXPECT_TRUE(config.indexes[0].frozen);
  EXPECT_TRUE(config.indexes[0].uploads);
  EXPECT_TRUE(config.indexes[0].immutable);
  EXPECT_FALSE(config.indexes[1].uploads);
  EXPECT_FALSE(config.indexes[1].immutable);
  EXPECT_EQ(config.upload_limit_bytes, 3u << 20);
}

TEST(UploadConfig, RefusesUploadsWhereThereIsAnUpstream) {
  EXPECT_NE(refusal("indexes: {a: {uploads: true}}\n").find("mirror.yaml:2:"), std::string::npos);
  EXPECT_NE(refusal("indexes: {a: {mode: sync, immutable: true}}\n").find("without an upstream"), std::string::npos);
  EXPECT_NE(refusal("indexes: {a: {mode: private, upstream: pip}}\n").find("has no upstream"), std::string::npos);
}

}  // namespace
}  // namespace dae::mirror
