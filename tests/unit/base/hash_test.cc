#include "base/hash.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dae {
namespace {

constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Hash, KnowsTheStandardsVectors) {
  EXPECT_EQ(Digest::of("abc").hex(), kAbc);
  EXPECT_EQ(Digest::of("").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Hash, IsTheSameInPiecesAndFromAFile) {
  Sha256 hash;
  hash.update("a");
  hash.update("");
  hash.update("bc");
  EXPECT_EQ(hash.finish().hex(), kAbc);
  const TempDir dir;
  const std::string large(1'000'000, 'a');
  write_file_atomic(dir.path() / "f", large);
  EXPECT_EQ(sha256_file(dir.path() / "f"), Digest::of(large));
  EXPECT_THROW(sha256_file(dir.path() / "none"), Error);
}

TEST(Hash, KnowsTheLongerOnes) {
  Sha512 long_one(Sha512::Length::bits_512), shorter(Sha512::Length::bits_384);
  for (const char* piece : {"a", "bc"}) {
    long_one.update(piece);
    shorter.update(piece);
  }
  EXPECT_EQ(to_hex(long_one.finish_bytes()),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  EXPECT_EQ(to_hex(shorter.finish_bytes()),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
}

TEST(Digest, IsReadInEitherSpellingAndAnyCase) {
  EXPECT_EQ(Digest::parse(kAbc).oci(), std::string("sha256:") + kAbc);
  EXPECT_EQ(Digest::parse("SHA256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD").hex(), kAbc);
  EXPECT_EQ(Digest::parse(kAbc).short_hex(), "ba7816bf8f01");
}

TEST(Digest, RefusesEverythingElse) {
  for (std::string text :
       {std::string(), std::string("sha256:"), std::string(63, 'a'), std::string(65, 'a'), std::string(63, 'a') + "g",
        "sha512:" + std::string(64, 'a'), "../" + std::string(61, 'a')}) {
    EXPECT_FALSE(Digest::is_valid(text)) << text;
    EXPECT_THROW(Digest::parse(text), Error) << text;
  }
}

TEST(Hash, EncodesAsTheRfcSays) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("\xfb\xff"), "+/8=");
  EXPECT_EQ(base64url_nopad("\xfb\xff"), "-_8");
  EXPECT_EQ(to_hex(std::string("\x00\xff\x1a", 3)), "00ff1a");
}

TEST(Hash, GivesDifferentRandomNames) {
  EXPECT_EQ(random_hex().size(), 32u);
  EXPECT_EQ(random_hex(4).size(), 8u);
  EXPECT_NE(random_hex(), random_hex());
}

}  // namespace
}  // namespace dae
