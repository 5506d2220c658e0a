#include "base/gzip.h"

#include <gtest/gtest.h>

#include "base/inflate.h"

namespace dae {
namespace {

TEST(Gzip, PacksTheSameBytesTheSameWayAndBack) {
  std::string bytes;
  for (int i = 0; i < 5000; ++i) bytes += "file-" + std::to_string(i) + " ";
  const std::string packed = gzip(bytes);
  EXPECT_EQ(packed, gzip(bytes));
  EXPECT_LT(packed.size(), bytes.size() / 2);
  ASSERT_GT(packed.size(), 18u);
  EXPECT_EQ(packed.substr(0, 8), std::string("\x1f\x8b\x08\0\0\0\0\0", 8));  // no flags, no time
  std::string unpacked(bytes.size(), '\0');
  const char* trouble =
      Inflater().inflate(std::string_view(packed).substr(10, packed.size() - 18), unpacked.data(), unpacked.size());
  EXPECT_STREQ(trouble, "");
  EXPECT_EQ(unpacked, bytes);
}

TEST(Gzip, PacksNothing) {
  EXPECT_EQ(gzip("").size(), gzip("").size());
  EXPECT_GT(gzip("").size(), 17u);
}

}  // namespace
}  // namespace dae
