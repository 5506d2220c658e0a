// Native libraries that look for others beside themselves: can their wheel stand behind a link?
#include "resolver/install/store_origin.h"

#include "store_fixture.h"

namespace dae::resolver {
namespace {

using testing::StoreFixture;
using testing::WheelBuilder;

const std::string kElf =
    "\x7f"
    "ELF";

std::string library(const std::string& search_path) {
  return kElf + std::string(100, 'x') + '\0' + search_path + '\0' + std::string(100, 'y');
}

std::vector<std::string> scan(const std::string& bytes, size_t piece) {
  OriginScan scan;
  for (size_t at = 0; at < bytes.size(); at += piece) scan.feed(std::string_view(bytes).substr(at, piece));
  return scan.found();
}

TEST(OriginScan, FindsEverySearchPathWhereverThePiecesEnd) {
  const std::string bytes =
      library("/usr/lib:$ORIGIN/../x.libs:$ORIGIN:${ORIGIN}/$LIB") + library("$ORIGIN/../x.libs") + "$ORI";
  const std::vector<std::string> all{"/../x.libs", "", "/$LIB"};
  for (size_t piece = 4; piece <= bytes.size(); ++piece) EXPECT_EQ(scan(bytes, piece), all) << piece;
  EXPECT_TRUE(scan("no library $ORIGIN/..", 100).empty());
  EXPECT_TRUE(scan(kElf + "$$ORIGI$ORIGI", 5).empty());
}

TEST(OriginScan, GivesUpOnAFloodOfThem) {
  std::string bytes = kElf;
  for (int i = 0; i < 5000; ++i) bytes += "$ORIGIN/" + std::to_string(i) + '\0';
  EXPECT_EQ(scan(bytes, 1000), std::vector<std::string>{"$"});
  EXPECT_EQ(scan(kElf + "$ORIGIN" + std::string(100'000, 'a'), 777).size(), 1u);
}

TEST(OriginScan, FollowsAPathInTheTree) {
  EXPECT_EQ(resolve_origin("a/b", "/../../c.libs"), "c.libs");
  EXPECT_EQ(resolve_origin("a/b", ""), "a/b");
  EXPECT_EQ(resolve_origin("a", "/./x//y/."), "a/x/y");
  EXPECT_EQ(resolve_origin("a", "/.."), "");
  EXPECT_EQ(resolve_origin("a", "/../.."), std::nullopt);
  EXPECT_EQ(resolve_origin("", "/.."), std::nullopt);
  EXPECT_EQ(resolve_origin("a", "/../$LIB"), std::nullopt);
}

class Movable : public StoreFixture {
 protected:
  bool is_movable(const std::string& search_path) {
    return unpack(WheelBuilder("a", "1")
                      .file("a/sub/lib.so", library(search_path))
                      .file("a/lib/libx.so", "")
                      .file("a.libs/libz.so", "")
                      .file("a/readme", search_path))
        .movable;
  }
};

TEST_F(Movable, IsAWheelWhoseLibrariesStayInIt) {
  EXPECT_TRUE(is_movable("$ORIGIN"));
  EXPECT_TRUE(is_movable("$ORIGIN/../lib:$ORIGIN/../../a.libs"));
  EXPECT_FALSE(is_movable("$ORIGIN/../../nvidia/cudnn/lib"));
  EXPECT_FALSE(is_movable("$ORIGIN/../lib:$ORIGIN/../../../.."));
  EXPECT_FALSE(is_movable("$ORIGIN/../.."));
  EXPECT_FALSE(is_movable("$ORIGIN/../../../../$LIB"));
  EXPECT_TRUE(is_movable("/usr/lib"));
}

TEST_F(Movable, IsToldAcrossThePiecesOfALargeLibrary) {
  for (const int shift : {-20, -6, 0, 3}) {
    const std::string bytes = kElf + std::string((4 << 20) - 4 + shift, 'x') +
                              std::string("\0$ORIGIN/../../other\0", 21) + std::string(1 << 20, 'y');
    EXPECT_FALSE(unpack(WheelBuilder("a", std::to_string(shift + 30)).file("a/sub/lib.so", bytes)).movable) << shift;
  }
}

}  // namespace
}  // namespace dae::resolver
