#include <gtest/gtest.h>

#include "base/error.h"
#include "resolver/standards/requirement.h"

namespace dae::resolver {
namespace {

TEST(Requirement, ReadsEveryPart) {
  const auto requirement = Requirement::parse(" Flask.X [B_b, a,b.b] >=2.0, <4 ; python_version >= '3.8' ");
  EXPECT_EQ(requirement.name, "Flask.X");
  EXPECT_EQ(requirement.key, "flask-x");
  EXPECT_EQ(requirement.extras, (std::vector<std::string>{"a", "b-b"}));
  EXPECT_EQ(requirement.specifiers.text(), "<4,>=2.0");
  EXPECT_EQ(requirement.url, "");
  EXPECT_EQ(requirement.text(), "Flask.X[a,b-b]<4,>=2.0; python_version >= \"3.8\"");
}

TEST(Requirement, WritesACanonicalText) {
  const std::pair<const char*, const char*> table[] = {
      {"a", "a"},
      {"a()", "a"},
      {"a (>=1 , <2)", "a<2,>=1"},
      {"a>=1,", "a>=1"},
      {"a[]", "a"},
      {"a===foo;os_name=='x'", "a===foo; os_name == \"x\""},
      {"a@https://h/x.zip", "a @ https://h/x.zip"},
      {"a [b]@ git+https://h/r;p@v1#egg=a ; os_name=='x'", "a[b] @ git+https://h/r;p@v1#egg=a ; os_name == \"x\""},
      {"a @ https://h/x.zip  ", "a @ https://h/x.zip"},
  };
  for (const auto& [written, canonical] : table) {
    EXPECT_EQ(Requirement::parse(written).text(), canonical) << written;
    EXPECT_EQ(Requirement::parse(canonical).text(), canonical) << written;
  }
}

TEST(Requirement, NamesTheColumnOfTheWholeText) {
  const std::pair<const char*, const char*> table[] = {
      {"", "column 1: expected the name of a package"},
      {"-a", "column 1: `-a` is not a valid name"},
      {"a_ >= 1", "column 1: `a_` is not a valid name"},
      {"flask 2.0", "column 7: expected a version specifier, found `2.0`"},
      {"flask >=2.0.x", "column 7: `>=2.0.x` is not a version specifier"},
      {"flask>=1,,<2", "column 6: expected a version specifier between two commas"},
      {"flask[a b]", "column 9: expected `,` or `]`"},
      {"flask[a,]", "column 9: expected the name of an extra"},
      {"flask (>=1", "column 8: expected `)`"},
      {"flask @ ", "column 8: expected a URL"},
      {"flask; os_nam == 'x'", "column 8: unknown marker variable `os_nam`"},
      {"flask (>=1) x", "column 13: expected `;` or the end"},
      {"flask @ https://h/x os_name == 'x'", "column 21: expected ` ;` or the end"},
      {"flask;", "column 7: expected a marker variable"},
  };
  for (const auto& [text, message] : table) {
    try {
      Requirement::parse(text);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input);
      EXPECT_EQ(error.message().substr(0, std::string_view(message).size()), message) << text;
    }
  }
}

TEST(Requirement, RepairsWhatOldMetadataHolds) {
  const std::pair<const char*, const char*> table[] = {
      {"elasticsearch-dsl (>=7.2.0<8.0.0)", "elasticsearch-dsl<8.0.0,>=7.2.0"},
      {"torch (>=1.9.*)", "torch>=1.9"},
      {"botocore>=1.3.0,<1.4.0',", "botocore<1.4.0,>=1.3.0"},
      {"'numpy' >=1.19\"; python_version >= \"3.7\"", "numpy>=1.19; python_version >= \"3.7\""},
      {"jupyter-core (!=~5.0,>=4.12)", "jupyter-core!=5.0.*,>=4.12"},
      {"a[b] >= 2.7 <3 ; extra == 'x'", "a[b]<3,>=2.7; extra == \"x\""},
      {"flask>=2", "flask>=2"},
      {"a @ https://h/it's.zip", "a @ https://h/it's.zip"},
  };
  for (const auto& [written, repaired] : table) {
    const auto requirement = Requirement::try_parse_legacy(written);
    ASSERT_TRUE(requirement) << written;
    EXPECT_EQ(requirement->text(), repaired) << written;
  }
  for (const char* text : {"", "flask 2.0", "flask; os_nam == 'x'", "flask (>=1", "flask ^1.0", "-a >=1.*"}) {
    EXPECT_FALSE(Requirement::try_parse_legacy(text)) << text;
  }
}

}  // namespace
}  // namespace dae::resolver
