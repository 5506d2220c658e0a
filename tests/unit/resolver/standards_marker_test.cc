#include <gtest/gtest.h>

#include "base/error.h"
#include "resolver/standards/marker.h"
#include "resolver/standards/tags.h"

namespace dae::resolver {
namespace {

MarkerEnvironment linux_311() {
  Target target;
  target.python_version = "3.11";
  target.python_full_version = "3.11.7";
  target.platform = "manylinux_2_36_x86_64";
  return target.markers();
}

bool holds(std::string_view marker, const std::set<std::string>& extras = {},
           const std::set<std::string>& groups = {}) {
  return Marker::parse(marker).evaluate(linux_311(), extras, groups);
}

TEST(Marker, ComparesVersionsAsVersions) {
  EXPECT_TRUE(holds("python_version >= '3.9'"));
  EXPECT_TRUE(holds("'3.9' <= python_version"));
  EXPECT_FALSE(holds("python_version < '3.9'"));
  EXPECT_TRUE(holds("python_version == '3.11.*'"));
  EXPECT_TRUE(holds("python_full_version ~= '3.11.2'"));
  EXPECT_TRUE(holds("python_full_version > '3.11.0'"));
  EXPECT_TRUE(holds("python_version === '3.11'"));
  EXPECT_TRUE(holds("implementation_version >= '3.11'"));
}

TEST(Marker, StringsHaveNoOrder) {
  EXPECT_TRUE(holds("sys_platform == 'linux'"));
  EXPECT_FALSE(holds("sys_platform < 'zzz'"));
  EXPECT_FALSE(holds("sys_platform > 'a'"));
  EXPECT_TRUE(holds("sys_platform >= 'linux'"));
  EXPECT_FALSE(holds("sys_platform ~= 'linux'"));
  EXPECT_TRUE(holds("platform_release != '5.10'"));  // not known for a declared target: no version, so a string
}

TEST(Marker, ComparesTheKernelReleaseAsAVersionWhereItIsOne) {
  MarkerEnvironment environment = linux_311();
  const auto holds_for = [&](const char* release, const char* text) {
    environment.values["platform_release"] = release;
    environment.values["platform_version"] = release;
    return Marker::parse(text).evaluate(environment);
  };
  EXPECT_TRUE(holds_for("5.10", "platform_release >= '5.9'"));
  EXPECT_FALSE(holds_for("5.10-generic", "platform_release >= '5.9'"));
  EXPECT_TRUE(holds_for("5.10-generic", "platform_release >= '5.10-generic'"));
  EXPECT_FALSE(holds_for("5.10", "platform_version >= '5.9'"));  // the other one is a string in every case
  EXPECT_TRUE(holds_for("5.10", "platform_version <= '5.10'"));
}

TEST(Marker, ComparesTextsWhereTheLiteralIsNoVersion) {
  EXPECT_FALSE(holds("python_version == 'surprise'"));
  EXPECT_TRUE(holds("python_version != 'surprise'"));
  EXPECT_FALSE(holds("python_version > 'surprise'"));
  EXPECT_FALSE(holds("python_version >= '3.8.*'"));  // a series has no order
  EXPECT_FALSE(holds("python_version ~= '3'"));
}

TEST(Marker, MembershipIsAPartOfAString) {
  EXPECT_TRUE(holds("python_version in '3.10 3.11 3.12'"));
  EXPECT_TRUE(holds("'nux' in sys_platform"));
  EXPECT_TRUE(holds("python_version not  in '3.8, 3.9'"));
}

TEST(Marker, ExtrasAreASetOfNormalisedNames) {
  EXPECT_TRUE(holds("extra == 'Foo_Bar'", {"foo-bar"}));
  EXPECT_TRUE(holds("extra == 'foo.bar'", {"Foo__Bar", "x"}));
  EXPECT_FALSE(holds("extra == 'foo'"));
  EXPECT_TRUE(holds("extra != 'foo'"));
  EXPECT_FALSE(holds("extra != 'foo'", {"foo", "bar"}));
  EXPECT_TRUE(holds("'foo' == extra", {"foo", "bar"}));
  EXPECT_TRUE(Marker::parse("os_name == 'nt' or extra == 'x'").mentions_extra());
  EXPECT_FALSE(Marker::parse("os_name == 'extra'").mentions_extra());
}

TEST(Marker, LockFilesAskForMembershipInExtrasAndGroups) {
  EXPECT_TRUE(holds("'Dev.x' in dependency_groups", {}, {"dev-x"}));
  EXPECT_FALSE(holds("'dev' in extras", {}, {"dev"}));
  EXPECT_TRUE(holds("'dev' not in extras", {"test"}));
  for (const char* text : {"extras == 'x'", "'x' == extras", "extras in 'x'", "os_name in dependency_groups"}) {
    EXPECT_THROW(Marker::parse(text), Error) << text;
  }
}

TEST(Marker, AndBindsTighterThanOr) {
  EXPECT_TRUE(holds("os_name == 'posix' or os_name == 'nt' and os_name == 'java'"));
  EXPECT_FALSE(holds("(os_name == 'posix' or os_name == 'nt') and os_name == 'java'"));
}

TEST(Marker, HasOneCanonicalText) {
  const std::pair<const char*, const char*> table[] = {
      {"os.name=='posix'", "os_name == \"posix\""},
      {"python_implementation != \"a'b\"", "platform_python_implementation != \"a'b\""},
      {"os_name == 'a\"b'", "os_name == 'a\"b'"},
      {"(os_name=='a')and((os_name=='b'))", "os_name == \"a\" and os_name == \"b\""},
      {"os_name=='a' and (os_name=='b' or os_name=='c')",
       "os_name == \"a\" and (os_name == \"b\" or os_name == \"c\")"},
      {"(os_name=='a' and os_name=='b') or os_name=='c'", "os_name == \"a\" and os_name == \"b\" or os_name == \"c\""},
      {"extra=='Foo_Bar'", "extra == \"foo-bar\""},
      {"'x'not in  sys.platform", "\"x\" not in sys_platform"},
  };
  for (const auto& [written, canonical] : table) {
    EXPECT_EQ(Marker::parse(written).text(), canonical);
    EXPECT_EQ(Marker::parse(canonical).text(), canonical);
  }
  EXPECT_EQ(Marker().text(), "");
  EXPECT_TRUE(Marker().always());
  EXPECT_TRUE(Marker().evaluate({}));
}

TEST(Marker, SaysWhereItCannotBeRead) {
  const std::pair<const char*, const char*> table[] = {
      {"", "column 1: expected a marker variable"},
      {"os_name = 'x'", "column 9: expected an operator"},
      {"os_name == 'x", "column 12: the quoted text does not end"},
      {"os_name == 'x' foo", "column 16: expected `and`, `or` or the end"},
      {"(os_name == 'x'", "column 16: expected `)`"},
      {"pyton_version > '3'", "column 1: unknown marker variable `pyton_version`"},
      {"'a' == 'b'", "column 1: a comparison needs a marker variable"},
      {"os_name not 'x'", "column 13: expected `in`"},
      {"os_name == 'a\nb'", "column 12: control character"},
  };
  for (const auto& [text, message] : table) {
    try {
      Marker::parse(text);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input);
      EXPECT_EQ(error.message().substr(0, std::string_view(message).size()), message);
      EXPECT_EQ(error.subject(), text);
    }
  }
  try {
    Marker::parse("pyton_version > '3'");
  } catch (const Error& error) {
    EXPECT_EQ(error.hint(), "did you mean `python_version`?");
  }
}

TEST(Marker, RefusesDeepNesting) {
  const auto nested = [](size_t depth) { return std::string(depth, '(') + "os_name == 'x'" + std::string(depth, ')'); };
  EXPECT_NO_THROW(Marker::parse(nested(90)));
  EXPECT_THROW(Marker::parse(nested(5000)), Error);
}

TEST(Marker, ReadsInterpretersBuiltFromASourceTree) {
  MarkerEnvironment environment = linux_311();
  environment.values["python_full_version"] = "3.14.0a1+";
  EXPECT_TRUE(Marker::parse("python_full_version >= '3.13'").evaluate(environment));
}

}  // namespace
}  // namespace dae::resolver
