#include "base/other_hashes.h"

#include <gtest/gtest.h>

#include "base/hash.h"

namespace dae {
namespace {

std::string md5(std::string_view text) {
  Md5 hash;
  hash.update(text);
  return to_hex(hash.finish_bytes());
}

std::string blake2(std::string_view text, size_t piece = 1000) {
  Blake2b256 hash;
  for (size_t at = 0; at < text.size(); at += piece) hash.update(text.substr(at, piece));
  return to_hex(hash.finish_bytes());
}

TEST(OtherHashes, Md5IsThatOfItsStandard) {
  EXPECT_EQ(md5(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(md5("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
}

// Expected values: Python's hashlib.blake2b(digest_size=32).
TEST(OtherHashes, Blake2IsThatOfPython) {
  EXPECT_EQ(blake2(""), "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  EXPECT_EQ(blake2("abc"), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  EXPECT_EQ(blake2(std::string(128, 'x')), "164ffb7089bae6f5a62fb0795e751dc9e88eac92e1a5b2fafe93a25abf2d9c3b");
  EXPECT_EQ(blake2(std::string(129, 'x')), "03b0758fa71d249c846c2304a2b9996e6ae66ffa7e5528f9e612e089a360fc8d");
  EXPECT_EQ(blake2(std::string(5000, 'x')), "a90895877799c6cc11eee87d47a1797980e06dd016e6bd96c23663df57bdbd0e");
}

TEST(OtherHashes, PiecesGiveWhatTheWholeGives) {
  const std::string text = std::string(700, 'a') + std::string(700, 'b');
  for (const size_t piece : {1, 7, 127, 128, 129, 256}) EXPECT_EQ(blake2(text, piece), blake2(text, 10'000)) << piece;
}

}  // namespace
}  // namespace dae
