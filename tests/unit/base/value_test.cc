#include "base/value.h"

#include <gtest/gtest.h>

#include <limits>

namespace dae {
namespace {

TEST(Value, ObjectsCompareWithoutRegardToKeyOrder) {
  const Value a = Value::object({{"x", 1}, {"y", Value::strings(std::vector<std::string>{"p", "q"})}});
  const Value b = Value::object({{"y", Value::strings(std::vector<std::string>{"p", "q"})}, {"x", 1}});
  EXPECT_EQ(a, b);
  EXPECT_FALSE(a == Value::object({{"x", 1}}));
  EXPECT_FALSE(a == Value::object({{"x", 2}, {"y", Value::strings(std::vector<std::string>{"p", "q"})}}));
}

TEST(Value, ComparesIntegersWithReals) {
  EXPECT_EQ(Value(2), Value(2.0));
  EXPECT_FALSE(Value(2) == Value(2.5));
  EXPECT_FALSE(Value(1) == Value(true));
}

TEST(Value, SetReplacesAndKeepsTheOrder) {
  Value value = Value::object({{"b", 1}, {"a", 2}});
  value.set("b", 3).set("c", nullptr);
  EXPECT_EQ(pretty_json(value), "{\n  \"b\": 3,\n  \"a\": 2,\n  \"c\": null\n}\n");
  EXPECT_TRUE(value.erase("a"));
  EXPECT_FALSE(value.erase("a"));
  EXPECT_EQ(value.size(), 2u);
}

TEST(Value, NullGrowsIntoWhatIsAddedToIt) {
  Value list, mapping;
  list.push_back(1);
  mapping.set("k", "v");
  EXPECT_TRUE(list.is_array());
  EXPECT_TRUE(mapping.is_object());
}

TEST(Value, AWrongTypeIsToldWithItsPosition) {
  const Document document = parse_yaml("a:\n  - 1\n", "x.yaml");
  try {
    document.root.at("a").as_string();
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "2:3: expected a string, found a list");
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
  }
}

TEST(Value, AbsentAndNullGiveTheFallback) {
  const Value value = Value::object({{"none", nullptr}, {"n", 5}, {"list", Value::array()}});
  EXPECT_EQ(value.get_string("none", "x"), "x");
  EXPECT_EQ(value.get_string("absent", "y"), "y");
  EXPECT_EQ(value.get_integer("n"), 5);
  EXPECT_TRUE(value.get_bool("absent", true));
  EXPECT_TRUE(value.get_strings("list").empty());
  EXPECT_THROW(value.get_string("n"), Error);
  EXPECT_THROW(value.at("absent"), Error);
}

TEST(CanonicalJson, SortsKeysBytewiseAndWritesNoSpace) {
  const Value value = Value::object({{"\xC3\xA9", 1}, {"b", Value::array()}, {"B", Value::object()}, {"a", false}});
  EXPECT_EQ(canonical_json(value), "{\"B\":{},\"a\":false,\"b\":[],\"\xC3\xA9\":1}");
}

TEST(CanonicalJson, EscapesOnlyWhatItMust) {
  EXPECT_EQ(json_string("a\"b\\c\n\t\x01/\x7F"), "\"a\\\"b\\\\c\\n\\t\\u0001/\x7F\"");
}

TEST(CanonicalJson, StaysUtf8WhateverTheStringHolds) {
  EXPECT_EQ(json_string("a\xFF"
                        "b\xC3"),
            "\"a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\"");
}

TEST(CanonicalJson, WritesTheShortestNumbers) {
  EXPECT_EQ(canonical_json(Value(0.1)), "0.1");
  EXPECT_EQ(canonical_json(Value(1e300)), "1e+300");
  EXPECT_EQ(canonical_json(Value(std::numeric_limits<int64_t>::min())), "-9223372036854775808");
  EXPECT_THROW(canonical_json(Value(std::numeric_limits<double>::infinity())), Error);
}

TEST(CanonicalJson, ReadsBackEqual) {
  const char* text = R"({"z":[1,2.5,-3,null,true,"\u00e9\n"],"a":{"k":[],"j":{}},"n":9007199254740993})";
  const Value once = parse_json(text, "t").root;
  EXPECT_EQ(parse_json(canonical_json(once), "t").root, once);
  EXPECT_EQ(parse_json(pretty_json(once), "t").root, once);
  EXPECT_EQ(canonical_json(parse_json(pretty_json(once), "t").root), canonical_json(once));
}

}  // namespace
}  // namespace dae
