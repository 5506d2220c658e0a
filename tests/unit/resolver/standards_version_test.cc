#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/error.h"
#include "resolver/standards/version.h"

namespace dae::resolver {
namespace {

Version v(std::string_view text) {
  return Version::parse(text);
}

TEST(Version, NormalisesEverySpelling) {
  const std::pair<const char*, const char*> table[] = {
      {"1.0", "1.0"},
      {" v1.0\n", "1.0"},
      {"1.0.0", "1.0.0"},
      {"01.02", "1.2"},
      {"1.0a", "1.0a0"},
      {"1.0-ALPHA_2", "1.0a2"},
      {"1.0.beta.3", "1.0b3"},
      {"1.0c1", "1.0rc1"},
      {"1.0preview1", "1.0rc1"},
      {"1.0-pre", "1.0rc0"},
      {"1.0-1", "1.0.post1"},
      {"1.0rev2", "1.0.post2"},
      {"1.0r", "1.0.post0"},
      {"1.0dev", "1.0.dev0"},
      {"1.0a.", "1.0a0"},
      {"1.0a.-1", "1.0a0.post1"},
      {"0!1", "1"},
      {"2!1.0", "2!1.0"},
      {"1.0+Ubuntu-01_x", "1.0+ubuntu.1.x"},
      {"1!2.3.4.5.6rc1.post2.dev3+a.1", "1!2.3.4.5.6rc1.post2.dev3+a.1"},
  };
  for (const auto& [written, normal] : table) EXPECT_EQ(v(written).text(), normal) << written;
}

TEST(Version, RefusesWhatIsNone) {
  for (const char* text : {"", " ", "a", "1.", ".1", "1..2", "1.0+", "1.0+a..b", "1.0x", "1!", "!1", "1.0 1", "1.0-",
                           "1.0--1", "1.0.post--1", "18446744073709551616", "1.0a18446744073709551616", "1.0\x80"}) {
    EXPECT_FALSE(Version::try_parse(text)) << text;
  }
  EXPECT_FALSE(Version::try_parse(std::string(5000, '1')));
  EXPECT_THROW(Version::parse("one"), Error);
}

// PEP 440 "Summary of permitted suffixes and relative ordering", with both storage forms mixed.
const char* const kAscending[] = {"0.dev0",
                                  "0",
                                  "0.0.0.0.0.1",
                                  "1.dev0",
                                  "1.0.dev456",
                                  "1.0a1.dev1",
                                  "1.0a1",
                                  "1.0a2.dev456",
                                  "1.0a12.dev456",
                                  "1.0a12",
                                  "1.0b1.dev456",
                                  "1.0b2",
                                  "1.0b2.post345.dev456",
                                  "1.0b2.post345",
                                  "1.0rc1.dev456",
                                  "1.0rc1",
                                  "1.0",
                                  "1.0+abc.5",
                                  "1.0+abc.7",
                                  "1.0+5",
                                  "1.0+5.a",
                                  "1.0.post456.dev34",
                                  "1.0.post456",
                                  "1.0.post40000",
                                  "1.0.0.0.0.1",
                                  "1.0.0.0.1",
                                  "1.1.dev1",
                                  "1.2047",
                                  "1.2048",
                                  "16383",
                                  "16384",
                                  "20240101",
                                  "1!0.dev0",
                                  "1!0"};

TEST(Version, OrdersAsTheStandardDoes) {
  const size_t size = std::size(kAscending);
  std::vector<Version> order;
  for (const char* text : kAscending) order.push_back(v(text));
  for (size_t i = 0; i < size; ++i) {
    for (size_t j = 0; j < size; ++j) {
      EXPECT_EQ(order[i] <=> order[j], i <=> j) << order[i].text() << " and " << order[j].text();
    }
  }
}

TEST(Version, EqualOnesHashAlikeAndKeepTheirText) {
  const std::vector<std::vector<const char*>> same = {
      {"1", "1.0", "1.0.0.0", "1.0.0.0.0", "v1.0.0.0.0.0", "0!1"},
      {"1.0a1", "1.0.0.0.0alpha1", "1a1"},
      {"1.0+abc.1", "1+ABC-01", "1.0.0.0.0+abc_1"},
      {"1.0.post1.dev2", "1.0.0-1.dev2"},
      {"3!1", "3!1.0"},
      {"1.40000", "1.40000.0.0.0.0"},
  };
  for (const auto& group : same) {
    for (const char* a : group) {
      for (const char* b : group) {
        EXPECT_EQ(v(a), v(b)) << a << " " << b;
        EXPECT_EQ(v(a).hash(), v(b).hash()) << a << " " << b;
      }
    }
  }
  EXPECT_EQ(v("1.0.0").text(), "1.0.0");
  EXPECT_EQ(v("1.0.0.0.0").text(), "1.0.0.0.0");
  EXPECT_EQ(Version().text(), "0");
  EXPECT_EQ(Version(), v("0.0"));
}

TEST(Version, TellsItsParts) {
  const Version version = v("1!2.3rc4.post5.dev6+local.7");
  EXPECT_EQ(version.epoch(), 1U);
  EXPECT_EQ(version.release(), (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(version.pre(), (std::pair<char, uint64_t>('r', 4)));
  EXPECT_EQ(version.post(), 5U);
  EXPECT_EQ(version.dev(), 6U);
  EXPECT_EQ(version.local().size(), 2U);
  EXPECT_EQ(version.without_local().text(), "1!2.3rc4.post5.dev6");
  EXPECT_EQ(version.base_text(), "1!2.3");
  EXPECT_TRUE(version.is_prerelease() && version.is_postrelease() && version.is_dev() && version.is_local());

  EXPECT_TRUE(v("1.0.dev1").is_prerelease());
  EXPECT_FALSE(v("1.0.post1").is_prerelease());
  EXPECT_FALSE(v("1.0").is_local());
  EXPECT_EQ(v("1.0+x").without_local(), v("1.0"));
  EXPECT_EQ(v("1.2.0").release(), (std::vector<uint64_t>{1, 2, 0}));
  EXPECT_EQ(v("1.2").release_at(7), 0U);
  EXPECT_TRUE(v("1.2+x").same_release(v("1.2.0.0.0rc1")));
  EXPECT_FALSE(v("1.2").same_release(v("1!1.2")));
}

TEST(Version, SortsTheSameWhateverTheStartingOrder) {
  std::vector<Version> expected;
  for (const char* text : kAscending) expected.push_back(v(text));
  std::sort(expected.begin(), expected.end());
  std::mt19937 random(7);
  std::vector<Version> shuffled = expected;
  for (int i = 0; i < 20; ++i) {
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    std::sort(shuffled.begin(), shuffled.end());
    EXPECT_EQ(shuffled, expected);
  }
}

}  // namespace
}  // namespace dae::resolver
