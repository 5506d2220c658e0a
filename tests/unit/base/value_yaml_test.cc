#include <gtest/gtest.h>

#include "base/value.h"

namespace dae {
namespace {

std::string fault_of(std::string_view text) {
  try {
    parse_yaml(text, "a.yaml");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    return error.what();
  }
  return "no fault";
}

Value scalar(const std::string& text) {
  return parse_yaml("k: " + text + "\n", "a.yaml").root.at("k");
}

TEST(Yaml, ReadsScalarsByTheCoreSchema) {
  EXPECT_EQ(scalar("true"), Value(true));
  EXPECT_EQ(scalar("False"), Value(false));
  EXPECT_EQ(scalar("~"), Value());
  EXPECT_EQ(scalar(""), Value());
  EXPECT_EQ(scalar("-12"), Value(-12));
  EXPECT_EQ(scalar("+12"), Value(12));
  EXPECT_EQ(scalar("007"), Value(7));
  EXPECT_EQ(scalar("0x1F"), Value(31));
  EXPECT_EQ(scalar("0o17"), Value(15));
  EXPECT_EQ(scalar("1.5e3"), Value(1500.0));
  EXPECT_EQ(scalar(".5"), Value(0.5));
  EXPECT_EQ(scalar("3.10").type(), Value::Type::real);
}

TEST(Yaml, LeavesWordsOfYaml11AsStrings) {
  for (const char* word : {"yes", "no", "on", "off", "y", "tRUE", "nULL", "1_000", "0b11", "1:30", "0x", "1e", "."}) {
    EXPECT_EQ(scalar(word), Value(word)) << word;
  }
}

TEST(Yaml, QuotedScalarsAreStrings) {
  EXPECT_EQ(scalar("\"true\""), Value("true"));
  EXPECT_EQ(scalar("'12'"), Value("12"));
  EXPECT_EQ(scalar("\"\""), Value(""));
  EXPECT_EQ(scalar("|\n  12\n"), Value("12\n"));
  EXPECT_EQ(parse_yaml("1: x\n\"true\": y\n", "a").root.at("1"), Value("x"));
}

TEST(Yaml, KnowsPositionsOfKeysAndValues) {
  const Value root = parse_yaml("# head\nname: x\nlist:\n  - a\n  - {b: 1, c: two}\n", "a").root;
  EXPECT_EQ(root.position.line, 2u);
  EXPECT_EQ(root.at("name").key_position.line, 2u);
  EXPECT_EQ(root.at("name").position.column, 7u);
  const Value& flow = root.at("list").as_array()[1];
  EXPECT_EQ(flow.position.line, 5u);
  EXPECT_EQ(flow.position.column, 5u);
  EXPECT_EQ(flow.at("c").key_position.column, 12u);
  EXPECT_EQ(flow.at("c").position.column, 15u);
}

TEST(Yaml, KeepsTheOrderOfKeys) {
  const Value root = parse_yaml("z: 1\na: 2\nm: 3\n", "a").root;
  EXPECT_EQ(root.as_object()[0].first, "z");
  EXPECT_EQ(root.as_object()[2].first, "m");
}

TEST(Yaml, AnEmptyFileIsNothing) {
  EXPECT_TRUE(parse_yaml("", "a").root.is_null());
  EXPECT_TRUE(parse_yaml("# only this\n", "a").root.is_null());
  EXPECT_TRUE(parse_yaml("---\n", "a").root.is_null());
}

TEST(Yaml, RefusesAnchorsAliasesTagsAndSecondDocuments) {
  EXPECT_EQ(fault_of("a: &x 1\nb: 2\n"), "a.yaml:1:4: anchors are not accepted (`&x`)");
  EXPECT_NE(fault_of("a: &x {b: 1}\nc: *x\n"), "no fault");
  EXPECT_NE(fault_of("a: &x\n  - 1\n"), "no fault");
  EXPECT_EQ(fault_of("a: *x\n").substr(0, 12), "a.yaml:1:4: ");
  EXPECT_EQ(fault_of("a: !!str 1\n").substr(0, 31), "a.yaml:1:4: tags are not accept");
  EXPECT_NE(fault_of("a: !thing {b: 1}\n"), "no fault");
  EXPECT_EQ(fault_of("a: 1\n---\nb: 2\n"), "a.yaml:2:1: a second document in the file");
}

TEST(Yaml, RefusesDuplicateKeys) {
  EXPECT_EQ(fault_of("a: 1\nb: 2\na: 3\n"), "a.yaml:3:1: duplicate key `a`");
  EXPECT_EQ(fault_of("x: {k: 1, 'k': 2}\n"), "a.yaml:1:11: duplicate key `k`");
}

TEST(Yaml, RefusesKeysThatAreNoScalars) {
  EXPECT_NE(fault_of("? [a, b]\n: 1\n"), "no fault");
  EXPECT_NE(fault_of("? {a: b}\n: 1\n"), "no fault");
  EXPECT_NE(fault_of(": 1\n"), "no fault");
}

TEST(Yaml, RefusesNumbersThatWouldLoseDigits) {
  EXPECT_EQ(fault_of("id: 92233720368547758070\n"), "a.yaml:1:5: the integer does not fit into 64 bits");
  EXPECT_EQ(fault_of("id: 1e999\n"), "a.yaml:1:5: the number is out of range");
  EXPECT_EQ(fault_of("id: .nan\n"), "a.yaml:1:5: a number must be finite");
  EXPECT_EQ(fault_of("id: -.inf\n"), "a.yaml:1:5: a number must be finite");
}

TEST(Yaml, RefusesBrokenTextWithAPlace) {
  EXPECT_EQ(fault_of("a: [1, 2\nb: 3\n").substr(0, 7), "a.yaml:");
  EXPECT_EQ(fault_of("a: 1\n b: 2\n").substr(0, 8), "a.yaml:2");
  EXPECT_EQ(fault_of("a: \"x\n"), "a.yaml:1:4: a string is not closed");
  EXPECT_EQ(fault_of("\xEF\xBB\xBF"
                     "a: 'it''s\n"),
            "a.yaml:1:4: a string is not closed");
  EXPECT_EQ(fault_of("\xEF\xBB\xBF"
                     "a: 'it''s'\nb: \"\\\"\"\n"),
            "no fault");
  EXPECT_EQ(fault_of("a: x\xFF\n"), "a.yaml:1:5: invalid UTF-8");
  EXPECT_EQ(fault_of(std::string_view("a: x\0\nb: 1", 10)), "a.yaml:1:5: a control character");
  EXPECT_EQ(fault_of("a:\n\t- 1\n").substr(0, 8), "a.yaml:2");
}

TEST(Yaml, LimitsTheDepth) {
  EXPECT_EQ(fault_of(std::string(200, '[') + std::string(200, ']')), "no fault");
  EXPECT_EQ(fault_of(std::string(201, '[') + std::string(201, ']')), "a.yaml:1:201: nested deeper than 200 levels");
  EXPECT_NE(fault_of(std::string(100'000, '[')), "no fault");
  std::string block;
  for (size_t i = 0; i < 1000; ++i) block += std::string(i, ' ') + "a:\n";
  EXPECT_NE(fault_of(block), "no fault");
}

}  // namespace
}  // namespace dae
