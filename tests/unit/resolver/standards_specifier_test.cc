#include <gtest/gtest.h>

#include "base/error.h"
#include "resolver/standards/specifier.h"

namespace dae::resolver {
namespace {

struct Case {
  const char* specifier;
  const char* version;
  bool expected;
};

void check(std::initializer_list<Case> cases) {
  for (const auto& [specifier, version, expected] : cases) {
    EXPECT_EQ(SpecifierSet::parse(specifier).contains(Version::parse(version)), expected)
        << specifier << " " << version;
  }
}

TEST(Specifier, EqualityIgnoresALocalLabelItDoesNotName) {
  check({{"==1.0", "1.0+x", true},
         {"==1.0+x", "1.0", false},
         {"==1.0+x", "1.0+X", true},
         {"==1.0+x", "1.0+y", false},
         {"!=1.0", "1.0+x", false},
         {"!=1.0+x", "1.0", true},
         {"==1.0", "1.0.0.0.0", true},
         {"==1.0", "1.0.post1", false}});
}

TEST(Specifier, PrefixMatchesAreZeroPadded) {
  check({{"==1.1.*", "1.1", true},
         {"==1.1.*", "1.1a1", true},
         {"==1.1.*", "1.1.post1+x", true},
         {"==1.1.*", "1.10", false},
         {"==1.1.0.*", "1.1", true},
         {"==1.0.*", "1", true},
         {"==1.*", "1!1.0", false},
         {"==1!1.*", "1!1.0", true},
         {"!=1.1.*", "1.1.post1", false},
         {"!=1.1.*", "1.2", true},
         {"==1.0.0.0.0.*", "1.0", true}});
}

TEST(Specifier, ExclusiveOrderLeavesOutTheNeighbours) {
  check({{">1.7", "1.7.0.post1", false},
         {">1.7", "1.7+x", false},
         {">1.7", "1.7.1", true},
         {">1.7", "1.8.dev0", true},
         {">1.7.post2", "1.7.post3", true},
         {">1.7.post2", "1.7.post2+x", false},
         {">1.7.post2", "1.7.post3.dev0", true},
         {">1.0a1", "1.0a1.post1", false},
         {">1.0a1", "1.0a2.dev0", true},
         {">1.0.dev1", "1.0.dev1+x", false},
         {">1.0.dev1", "1.0a1", true},
         {"<2.0", "2.0rc1", false},
         {"<2.0", "2.0.dev0", false},
         {"<2.0", "1.9", true},
         {"<2.0rc2", "2.0rc1", true},
         {"<2.0.post1", "2.0", true},
         {"<2.0.post1", "2.0.post1.dev0", false},
         {"<2.0.post1", "2.0rc1", true},
         {"<2.0", "2.0a1.post1", false},
         {"<2.0", "1.9.post5+x", true}});
}

TEST(Specifier, InclusiveOrderTakesLocalBuilds) {
  check({{"<=1.0", "1.0+x", true},
         {"<=1.0", "1.0.post1", false},
         {">=1.0", "1.0+x", true},
         {">=1.0", "1.0rc1", false},
         {"<=1.0", "1.0rc1", true}});
}

TEST(Specifier, CompatibleReleaseDropsTheSuffixForItsPrefix) {
  check({{"~=2.2", "2.9", true},
         {"~=2.2", "3.0", false},
         {"~=2.2", "2.1", false},
         {"~=2.2.0", "2.3", false},
         {"~=2.2.post3", "2.9", true},
         {"~=2.2.post3", "2.2.post2", false},
         {"~=1.4.5a4", "1.4.9", true},
         {"~=1.4.5a4", "1.5", false},
         {"~=2.2", "3.0.dev0", false},
         {"~=1!2.2", "2.3", false}});
}

TEST(Specifier, ArbitraryEqualityComparesTexts) {
  check({{"===1.0", "1.0.0", false}, {"===1.0A1", "1.0a1", true}, {"===1.0", "1.0", true}});
  const SpecifierSet set = SpecifierSet::parse("===foo-bar");
  EXPECT_TRUE(set.contains(Version(), "FOO-bar"));
  EXPECT_FALSE(set.contains(Version(), "foo"));
}

TEST(Specifier, RefusesOperandsItsOperatorDoesNotTake) {
  for (const char* text : {"1.0", "=1.0", "=>1.0", ">=1.0.*", "~=1", "~=1.0.*", "<1.0+x", ">=1.0+x", "==1.0a1.*",
                           "==1.0+x.*", "==1.0-.*", "==", "===", "=== a b", "==1.0 1.1", ">=1.0;", "==1.0.*.*"}) {
    EXPECT_FALSE(SpecifierSet::try_parse(text)) << text;
    EXPECT_THROW(SpecifierSet::parse(text), Error) << text;
  }
}

TEST(SpecifierSet, NamesTheOffendingPart) {
  try {
    SpecifierSet::parse(">=1.0, <2.0.x");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    EXPECT_EQ(error.message(), "`<2.0.x` is not a version specifier");
  }
}

TEST(SpecifierSet, WritesItselfSortedAndWithoutRepeats) {
  EXPECT_EQ(SpecifierSet::parse(" >= 1.3 ,<2,").text(), "<2,>=1.3");
  EXPECT_EQ(SpecifierSet::parse("==1.0,==1.0.0").text(), "==1.0");
  EXPECT_EQ(SpecifierSet::parse("~=1.0,~=1.0.0").text(), "~=1.0,~=1.0.0");
  EXPECT_EQ(SpecifierSet::parse("").text(), "");
  EXPECT_TRUE(SpecifierSet::parse(" , ").empty());
  EXPECT_EQ((SpecifierSet::parse(">1") & SpecifierSet::parse("<3,>1")).text(), "<3,>1");
}

TEST(SpecifierSet, KnowsWhenAPreReleaseIsNamed) {
  for (const char* text : {">=1.0a1", "==1.0.dev1", "<2,>1.0rc1", "===1.0b1"}) {
    EXPECT_TRUE(SpecifierSet::parse(text).mentions_prerelease()) << text;
  }
  for (const char* text : {"", ">=1.0", "!=1.0a1", "==1.0.*", "===abc"}) {
    EXPECT_FALSE(SpecifierSet::parse(text).mentions_prerelease()) << text;
  }
}

TEST(SpecifierSet, RepairsWhatOldMetadataHolds) {
  const std::pair<const char*, const char*> table[] = {
      {">=3.6.*", ">=3.6"},
      {">=2.7,<3.4.*", "<3.4,>=2.7"},
      {">=1.*", ">=1"},
      {">=7.2.0<8.0.0", "<8.0.0,>=7.2.0"},
      {">= 2.7 <3", "<3,>=2.7"},
      {">=3.6,<4,", "<4,>=3.6"},
      {">2.6'", ">2.6"},
      {">= '2.7'", ">=2.7"},
      {">=\"3.6\"", ">=3.6"},
      {">=2.7, !=3.0.*, !=3.1.*', !=3.2.*'", "!=3.0.*,!=3.1.*,!=3.2.*,>=2.7"},
      {">=1.3.0,<1.4.0',", "<1.4.0,>=1.3.0"},
      {">=2.7,!=3.0*,!=3.1*", "!=3.0.*,!=3.1.*,>=2.7"},
      {"!=3.0.*.*,>=2.7", "!=3.0.*,>=2.7"},
      {"!=~5.0,>=4.12", "!=5.0.*,>=4.12"},
      {"!=~5", "!=5.*"},
      {">dev", ">0.0.0dev"},
      {">=9.0.0a1.0", ">=9.0.0a1"},
      {">=9a1.0", ">=9a1"},
      {"==1.0", "==1.0"},
      {"", ""},
  };
  for (const auto& [written, repaired] : table) {
    const auto set = SpecifierSet::try_parse_legacy(written);
    ASSERT_TRUE(set) << written;
    EXPECT_EQ(set->text(), repaired) << written;
  }
  EXPECT_FALSE(SpecifierSet::try_parse(">=3.6.*"));  // only where it is asked for
}

TEST(SpecifierSet, DoesNotRepairWhatCouldMeanSeveralThings) {
  for (const char* text : {"3.6", "=3.6", "=>3.6", "^1.0", "==3*", "~=1", "~=1.4.*", ">=3.6.x", ">=", "foo",
                           ">=1.0 foo", "<dev", ">=1.0 2.0", ">=9.0.0c1.0"}) {
    EXPECT_FALSE(SpecifierSet::try_parse_legacy(text)) << text;
  }
}

}  // namespace
}  // namespace dae::resolver
