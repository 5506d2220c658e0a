#include <gtest/gtest.h>

#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

TEST(Names, NormaliseRunsOfSeparators) {
  EXPECT_EQ(normalize_name("Foo.Bar__baz-._x"), "foo-bar-baz-x");
  EXPECT_TRUE(is_valid_name("a"));
  EXPECT_TRUE(is_valid_name("zope.interface"));
  for (const char* name : {"", "-a", "a-", "a b", "a/b", ".", "a\xc3\xa9"}) EXPECT_FALSE(is_valid_name(name)) << name;
}

TEST(WheelName, MultipliesCompressedTags) {
  const auto wheel = parse_wheel_name("Foo_Bar-1.0.0-1abc-py2.py3-none-linux_x86_64.any.whl");
  ASSERT_TRUE(wheel);
  EXPECT_EQ(wheel->distribution, "foo-bar");
  EXPECT_EQ(wheel->version.text(), "1.0.0");
  EXPECT_EQ(wheel->build, "1abc");
  EXPECT_EQ(wheel->tags, (std::vector<std::string>{"py2-none-linux_x86_64", "py2-none-any", "py3-none-linux_x86_64",
                                                   "py3-none-any"}));
}

TEST(WheelName, OrdersBuildTagsByNumberThenText) {
  const auto order = [](const char* build) {
    return parse_wheel_name("a-1" + std::string(build) + "-py3-none-any.whl")->build_order();
  };
  EXPECT_LT(order(""), order("-0"));
  EXPECT_LT(order("-2"), order("-10"));
  EXPECT_LT(order("-10"), order("-10a"));
  EXPECT_EQ(order("-01"), order("-1"));
}

TEST(WheelName, RefusesWhatPipRefuses) {
  for (const char* name : {"a-1-py3-none.whl", "a-1-py3-none-any.zip", "a-x-py3-none-any.whl", "a-1-b-py3-none-any.whl",
                           "-1-py3-none-any.whl", "a__b-1-py3-none-any.whl", "a-1-3py-none-any.whl",
                           "a-1-py3.-none-any.whl", "a-1-py3--any.whl", "a-1-1-py3-none-any-x.whl",
                           "a/b-1-py3-none-any.whl", "a-1-99999999999999999999-py3-none-any.whl"}) {
    EXPECT_FALSE(parse_wheel_name(name)) << name;
  }
  std::string many = "a-1-";
  for (int i = 0; i < 100; ++i) many += "p.";
  EXPECT_FALSE(parse_wheel_name(many + "p-" + many.substr(4) + "p-any.whl"));  // 10,000 combinations
}

TEST(SdistName, IsSettledByTheProject) {
  EXPECT_EQ(parse_sdist_name("foo-bar-1.0.tar.gz")->distribution, "foo-bar");
  EXPECT_EQ(parse_sdist_name("Foo_Bar-1.0.zip", "foo-bar")->version.text(), "1.0");
  EXPECT_EQ(parse_sdist_name("foo-1.0-1.tar.gz", "foo")->version.text(), "1.0.post1");
  EXPECT_EQ(parse_sdist_name("foo-2-1.0.tar.gz", "foo-2")->version.text(), "1.0");
  EXPECT_FALSE(parse_sdist_name("other-1.0.tar.gz", "foo"));
  for (const char* name : {"foo-1.0.tar.bz2", "foo-1.0.tgz", "foo.tar.gz", "foo-x.tar.gz", "-1.0.zip"}) {
    EXPECT_FALSE(parse_sdist_name(name)) << name;
  }
}

TEST(SdistName, OfOldArchivesCountsWhereTheProjectIsKnown) {
  for (const char* ending : {".tar.bz2", ".tgz", ".tar.xz", ".tar", ".tbz"}) {
    const auto name = parse_sdist_name("Zope.Foo_Bar-1.0" + std::string(ending), "zope-foo-bar");
    ASSERT_TRUE(name) << ending;
    EXPECT_EQ(name->distribution, "zope-foo-bar");
    EXPECT_EQ(name->version.text(), "1.0");
  }
  for (const char* name : {"foo-1.0-py2.7.egg", "foo-1.0.win32-py2.7.exe", "foo-1.0.rpm", "foo-1.0.linux-x86_64.tar.gz",
                           "foo-1.0-py2.7.tar.gz", "foo-1.0.tar.gz.asc"}) {
    EXPECT_FALSE(parse_sdist_name(name, "foo")) << name;
  }
}

TEST(FileName, TellsItsProject) {
  for (const char* name : {"foo-bar-1.0.tar.gz", "Foo_Bar-1.0-py3-none-any.whl", "foo.-bar-1.zip", "FOO--BAR-x.egg"}) {
    EXPECT_TRUE(is_file_of_project(name, "foo-bar")) << name;
  }
  for (const char* name :
       {"foobar-1.0.tar.gz", "foo-1.0.tar.gz", "foo_bar.tar.gz", "foo_bars-1.zip", "foo-bar", "", "-foo-bar-1.zip"}) {
    EXPECT_FALSE(is_file_of_project(name, "foo-bar")) << name;
  }
}

TEST(FileName, MustBeSafeToCreate) {
  EXPECT_TRUE(is_safe_file_name("flask-3.1.2-py3-none-any.whl"));
  for (const std::string name : {"", ".", "..", "a/b", "a\\b", ".hidden", "a..b", "a\nb", "a\x7f"}) {
    EXPECT_FALSE(is_safe_file_name(name)) << name;
  }
  EXPECT_FALSE(is_safe_file_name(std::string("a\0b", 3)));
  EXPECT_FALSE(is_safe_file_name(std::string(256, 'a')));
}

}  // namespace
}  // namespace dae::resolver
