#include "base/strings.h"

#include <gtest/gtest.h>

namespace dae {
namespace {

using Words = std::vector<std::string>;

TEST(Strings, SplitKeepsEmptyParts) {
  EXPECT_EQ(split("a,,b,", ','), (Words{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), (Words{""}));
}

TEST(Strings, SplitLinesTakesBothLineEndsAndNoLastEmptyLine) {
  EXPECT_EQ(split_lines("a\r\nb\n\nc"), (Words{"a", "b", "", "c"}));
  EXPECT_EQ(split_lines("a\n"), (Words{"a"}));
  EXPECT_TRUE(split_lines("").empty());
}

TEST(Strings, JoinIsTheInverseOfSplit) {
  for (const char* text : {"", "a", "a:b", ":a::b:"}) EXPECT_EQ(join(split(text, ':'), ":"), text);
}

TEST(Strings, ParsesWholeDecimalNumbersOnly) {
  EXPECT_EQ(parse_int("-12"), -12);
  EXPECT_EQ(parse_int("9223372036854775807"), INT64_MAX);
  for (const char* text : {"", " 1", "1 ", "1x", "0x1", "9223372036854775808", "+1"}) EXPECT_FALSE(parse_int(text));
}

TEST(Strings, TrimsLowersAndCompares) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(lower("MiXed-1"), "mixed-1");
  EXPECT_TRUE(iequals("Content-Type", "content-type"));
  EXPECT_FALSE(iequals("a", "ab"));
}

TEST(Strings, ReplacesWithoutLookingAtWhatItPutIn) {
  EXPECT_EQ(replace_all("aXbX", "X", "XX"), "aXXbXX");
  EXPECT_EQ(replace_all("abc", "", "x"), "abc");
}

struct GlobCase {
  const char *pattern, *path;
  bool matches;
};

TEST(Strings, GlobsWithinAndAcrossSegments) {
  for (const GlobCase& c : std::initializer_list<GlobCase>{
           {"*.py", "app.py", true},
           {"*.py", "src/app.py", false},
           {"**/*.py", "app.py", true},
           {"**/*.py", "a/b/app.py", true},
           {"tests/**", "tests/a", true},
           {"tests/**", "tests/a/b", true},
           {"tests/**", "tests", false},
           {"tests/**", "testsuite/a", false},
           {"**", "a/b", true},
           {"a/**/b", "a/b", true},
           {"a/**/b", "a/x/y/b", true},
           {"a/**/b", "a/x/c", false},
           {"secrets/*.key", "secrets/site.key", true},
           {"secrets/*.key", "secrets/a/site.key", false},
           {"?at", "cat", true},
           {"?at", "/at", false},
           {"[a-c]x", "bx", true},
           {"[!a-c]x", "bx", false},
           {"[]]x", "]x", true},
           {"[x", "[x", true},
           {"a*b*c", "a1b2c", true},
           {"a*b*c", "a1c2b", false},
           {"", "", true},
           {"", "a", false},
       }) {
    EXPECT_EQ(glob_match(c.pattern, c.path), c.matches) << c.pattern << " against " << c.path;
  }
}

TEST(Strings, GlobsHostilePatternsQuickly) {
  const std::string pattern(200, '*'), text(5000, 'a');
  EXPECT_FALSE(glob_match(pattern + "b", text));
  std::string deep;
  for (int i = 0; i < 50; ++i) deep += "**/";
  EXPECT_FALSE(glob_match(deep + "b", text));
}

TEST(Strings, EscapesForHtml) {
  EXPECT_EQ(html_escape("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#x27;");
}

}  // namespace
}  // namespace dae
