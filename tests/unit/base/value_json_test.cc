#include <gtest/gtest.h>

#include "base/value.h"

namespace dae {
namespace {

std::string fault_of(std::string_view text) {
  try {
    parse_json(text, "p.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    return error.what();
  }
  return "no fault";
}

std::string nested(int depth) {
  return std::string(static_cast<size_t>(depth), '[') + std::string(static_cast<size_t>(depth), ']');
}

TEST(Json, KnowsThePositionOfEveryNode) {
  const Value root = parse_json("{\n  \"a\": [1,\n        {\"b\": \"x\"}],\n  \"c\" : null }", "p").root;
  EXPECT_EQ(root.position.line, 1u);
  EXPECT_EQ(root.position.column, 1u);
  const Value& a = root.at("a");
  EXPECT_EQ(a.position.line, 2u);
  EXPECT_EQ(a.position.column, 8u);
  EXPECT_EQ(a.key_position.column, 3u);
  const Value& b = a.as_array()[1].at("b");
  EXPECT_EQ(b.position.line, 3u);
  EXPECT_EQ(b.position.column, 15u);
  EXPECT_EQ(root.at("c").position.line, 4u);
  EXPECT_EQ(root.at("c").position.column, 9u);
}

TEST(Json, ReadsBareScalars) {
  EXPECT_EQ(parse_json(" 12 ", "p").root, Value(12));
  EXPECT_EQ(parse_json("\"a\\u00e9\"", "p").root, Value("a\xC3\xA9"));
  EXPECT_EQ(parse_json("null\n", "p").root, Value());
  EXPECT_EQ(parse_json("-1.5e3", "p").root, Value(-1500.0));
}

TEST(Json, KeepsEveryDigitOfAnInteger) {
  const Value root = parse_json("[9223372036854775807, -9223372036854775808, 9007199254740993]", "p").root;
  EXPECT_EQ(root.as_array()[0].as_integer(), INT64_MAX);
  EXPECT_EQ(root.as_array()[1].as_integer(), INT64_MIN);
  EXPECT_EQ(root.as_array()[2].as_integer(), 9007199254740993);
  EXPECT_EQ(fault_of("{\"n\": 9223372036854775808}"), "p.json:1:7: the integer does not fit into 64 bits");
  EXPECT_EQ(fault_of("[1e400]"), "p.json:1:2: the number is out of range");
}

TEST(Json, RefusesNumbersThatAreNone) {
  for (const char* text : {"01", "1.", ".5", "+1", "1e", "0x10", "-", "1a", "NaN", "Infinity", "truee", "nul"}) {
    EXPECT_EQ(fault_of(std::string("[") + text + "]"),
              std::string("p.json:1:2: expected a value, found `") + text + "`");
    EXPECT_NE(fault_of(text), "no fault") << text;
  }
}

TEST(Json, RefusesADuplicateKeyAtTheSecond) {
  EXPECT_EQ(fault_of("{\"a\": 1,\n \"b\": {\"x\": 1, \"x\": 2}}"), "p.json:2:16: duplicate key `x`");
  EXPECT_EQ(fault_of("{\"a\": 1, \"\\u0061\": 2}"), "p.json:1:10: duplicate key `a`");
}

TEST(Json, RefusesMoreTextAfterTheEnd) {
  EXPECT_EQ(fault_of("{} {}"), "p.json:1:4: more text after the end of the document");
  EXPECT_EQ(fault_of("[1]\n]"), "p.json:2:1: more text after the end of the document");
  EXPECT_EQ(fault_of("\"a\" \"b\""), "p.json:1:5: more text after the end of the document");
  EXPECT_NE(fault_of("1 2"), "no fault");
  EXPECT_NE(fault_of("null null"), "no fault");
}

TEST(Json, RefusesBrokenStructureWithAPlace) {
  EXPECT_EQ(fault_of("[1 2]").substr(0, 12), "p.json:1:4: ");
  EXPECT_EQ(fault_of("{\"a\" 1}").substr(0, 12), "p.json:1:6: ");
  for (const char* text : {"[", "{", "[1,", "{\"a\":", "{\"a\"}", "[1,]", "{\"a\":1,}", "[1}", "{1:2}", "[,1]", "]",
                           ":", "{\"a\":1]", "[\"a\"b]", "[[]", "{\"a\":{}"}) {
    EXPECT_NE(fault_of(text), "no fault") << text;
    EXPECT_EQ(fault_of(text).substr(0, 8), "p.json:1") << text;
  }
}

TEST(Json, RefusesAnEmptyDocument) {
  EXPECT_EQ(fault_of(""), "p.json:1:1: the document is empty");
  EXPECT_EQ(fault_of(" \n "), "p.json:1:1: the document is empty");
}

TEST(Json, RefusesInvalidUtf8WithItsPlace) {
  EXPECT_EQ(fault_of("{\n\"a\": \"x\xFF\"}"), "p.json:2:8: invalid UTF-8");
  EXPECT_EQ(fault_of("[\"\xC0\x80\"]"), "p.json:1:3: invalid UTF-8");
  EXPECT_EQ(fault_of("[\"\xED\xA0\x80\"]"), "p.json:1:3: invalid UTF-8");
}

TEST(Json, RefusesBadStringsWithTheirPlace) {
  EXPECT_EQ(fault_of("[\"a\nb\"]"), "p.json:1:4: a control character in a string");
  EXPECT_EQ(fault_of("[1, \"abc]"), "p.json:1:5: a string is not closed");
  EXPECT_EQ(fault_of("[1, \"\\x\"]"), "p.json:1:5: invalid escape in a string");
  EXPECT_EQ(fault_of("[1, \"\\ud800\"]"), "p.json:1:5: invalid escape in a string");
}

TEST(Json, LimitsTheDepth) {
  EXPECT_EQ(fault_of(nested(200)), "no fault");
  EXPECT_EQ(fault_of(nested(201)), "p.json:1:201: nested deeper than 200 levels");
  EXPECT_NE(fault_of(nested(100'000)), "no fault");
  EXPECT_NE(fault_of(std::string(100'000, '[')), "no fault");
}

TEST(Json, FindsPositionsInOneLongLineQuickly) {
  std::string text = "[";
  for (int i = 0; i < 300'000; ++i) text += "\"abcdefgh\",";
  text += "1]";
  const Value root = parse_json(text, "p").root;
  EXPECT_EQ(root.size(), 300'001u);
  EXPECT_EQ(root.as_array().back().position.column, text.size() - 1);
}

// Any cut of a document is refused or read, never worse.
TEST(Json, SurvivesEveryTruncationAndEveryChangedByte) {
  const std::string whole = "{\"a\": [1, 2.5, \"x\\n\", null], \"b\": {\"c\": true, \"d\": [[]]}}";
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(fault_of(whole.substr(0, length)), "no fault") << length;
  }
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const char c : {'{', '}', '[', ']', ',', ':', '"', '\\', '0', '\0', '\xFF'}) {
      std::string changed = whole;
      changed[at] = c;
      try {
        const Value read = parse_json(changed, "p").root;
        EXPECT_EQ(parse_json(canonical_json(read), "p").root, read);
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::bad_input);
      }
    }
  }
}

}  // namespace
}  // namespace dae
