#include <gtest/gtest.h>

#include "mirror/storage/s3_xml.h"
#include "support/error_of.h"

namespace dae::mirror {
namespace {

using dae::testing::error_of;

TEST(S3Xml, IsReadIntoElementsAndTheirText) {
  const XmlElement root = parse_xml(
      "\xef\xbb\xbf  <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- <a> --><s3:List xmlns='x' a = \"b>\" >\n"
      "<Key>a&amp;b&#39;&#x41;&#xe9;<![CDATA[<&]]></Key><!-- --><Empty/><Key>two</Key> tail</s3:List>\n",
      "x");
  EXPECT_EQ(root.name, "List");
  ASSERT_EQ(root.children.size(), 3U);
  EXPECT_EQ(root.text_of("Key"), "a&b'A\xc3\xa9<&");
  EXPECT_EQ(root.text_of("Empty"), "");
  EXPECT_NE(root.find("Empty"), nullptr);
  EXPECT_EQ(root.find("None"), nullptr);
  EXPECT_EQ(root.children[2].text, "two");
}

TEST(S3Xml, KnowsNoEntitiesButItsOwn) {
  for (const char* text :
       {"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a>&b;</a>", "<a>&#0;</a>", "<a>&#xd800;</a>", "<a>&#x110000;</a>",
        "<a>&#99999999999999999999;</a>", "<a>&#;</a>", "<a>&#x;</a>", "<a>& </a>", "<a>&amp</a>", "<a>&#1;</a>"}) {
    EXPECT_EQ(error_of([&] { parse_xml(text, "x"); }).kind(), ErrorKind::bad_input) << text;
  }
}

TEST(S3Xml, RefusesWhatIsBroken) {
  for (const char* text :
       {"",       "x",      "<",        "<a",        "<a>",        "<a></b>",      "<a><b></a></b>",   "<a/><b/>",
        "<a/>x",  "<a b>",  "<a b=c/>", "<a b='c/>", "<a b='<'/>", "<a><!-- </a>", "<a><![CDATA[</a>", "<?xml <a/>",
        "<1:/>x", "<a></a", "<a/",      "<>x</>"}) {
    EXPECT_EQ(error_of([&] { parse_xml(text, "x"); }).kind(), ErrorKind::bad_input) << text;
  }
  EXPECT_NE(error_of([] { parse_xml("<a>\n <b>&x;</b></a>", "x"); }).cause().find("2:"), std::string::npos);
}

TEST(S3Xml, HasLimits) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  EXPECT_NE(error_of([&] { parse_xml(deep, "x"); }).cause().find("too deep"), std::string::npos);
  std::string many = "<a>";
  for (int i = 0; i < 200'000; ++i) many += "<b/>";
  EXPECT_NE(error_of([&] { parse_xml(many, "x"); }).cause().find("too many"), std::string::npos);
}

}  // namespace
}  // namespace dae::mirror
