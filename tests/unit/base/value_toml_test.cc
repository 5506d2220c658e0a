#include <gtest/gtest.h>

#include "base/value.h"

namespace dae {
namespace {

std::string fault_of(std::string_view text) {
  try {
    parse_toml(text, "p.toml");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    return error.what();
  }
  return "no fault";
}

TEST(Toml, KeepsTheOrderOfTheFile) {
  const Value root = parse_toml("z = 1\na = 2\n[tool.z]\nk = 1\n[project]\nname = 'x'\n[tool.a]\nk = 2\n", "p").root;
  EXPECT_EQ(root.as_object()[0].first, "z");
  EXPECT_EQ(root.as_object()[1].first, "a");
  EXPECT_EQ(root.as_object()[2].first, "tool");
  EXPECT_EQ(root.as_object()[3].first, "project");
  EXPECT_EQ(root.at("tool").as_object()[0].first, "z");
}

TEST(Toml, KnowsPositionsInBytes) {
  const Value root = parse_toml("a = 1\n'\xC3\xA9' = [ 'b',\n  {c = 2} ]\n", "p").root;
  EXPECT_EQ(root.at("a").key_position.line, 1u);
  EXPECT_EQ(root.at("a").position.column, 5u);
  const Value& list = root.at("\xC3\xA9");
  EXPECT_EQ(list.position.line, 2u);
  EXPECT_EQ(list.position.column, 8u);  // the key takes four bytes but three code points
  EXPECT_EQ(list.as_array()[1].at("c").key_position.line, 3u);
  EXPECT_EQ(list.as_array()[1].at("c").key_position.column, 4u);
}

TEST(Toml, DatesBecomeStrings) {
  const Value root = parse_toml(
                         "a = 1979-05-27T07:32:00Z\nb = 1979-05-27T00:32:00.5-07:30\nc = 1979-05-27\nd = 07:32:00.25\n"
                         "e = 1979-05-27 07:32:00\n",
                         "p")
                         .root;
  EXPECT_EQ(root.at("a"), Value("1979-05-27T07:32:00Z"));
  EXPECT_EQ(root.at("b"), Value("1979-05-27T00:32:00.5-07:30"));
  EXPECT_EQ(root.at("c"), Value("1979-05-27"));
  EXPECT_EQ(root.at("d"), Value("07:32:00.25"));
  EXPECT_EQ(root.at("e"), Value("1979-05-27T07:32:00"));
}

TEST(Toml, ReadsEveryType) {
  const Value root =
      parse_toml("i = 0x1F\nf = 1.5\nb = true\ns = \"x\\n\"\nl = [1, 'a']\n[[t]]\nk = {j = 1}\n", "p").root;
  EXPECT_EQ(root.at("i"), Value(31));
  EXPECT_EQ(root.at("f"), Value(1.5));
  EXPECT_EQ(root.at("b"), Value(true));
  EXPECT_EQ(root.at("s"), Value("x\n"));
  EXPECT_EQ(root.at("l").size(), 2u);
  EXPECT_EQ(root.at("t").as_array()[0].at("k").at("j"), Value(1));
}

TEST(Toml, RefusesBrokenTextWithAPlace) {
  EXPECT_EQ(fault_of("a = 1\nb = \n").substr(0, 9), "p.toml:2:");
  EXPECT_EQ(fault_of("a = 1\na = 2\n").substr(0, 9), "p.toml:2:");
  EXPECT_EQ(fault_of("a = 'x\xFF'\n"), "p.toml:1:7: invalid UTF-8");
  EXPECT_EQ(fault_of("a = nan\n"), "p.toml:1:5: a number must be finite");
  EXPECT_NE(fault_of("a = 9223372036854775808\n"), "no fault");
}

TEST(Toml, RefusesLettersOutsideStrings) {
  EXPECT_EQ(fault_of("a = 1\nb = \xC3\xA9\n").substr(0, 11), "p.toml:2:5:");
  EXPECT_EQ(fault_of("\xC3\xA9 = 1\n").substr(0, 11), "p.toml:1:1:");
  EXPECT_EQ(fault_of("a = \"\xC3\xA9\" # \xC3\xA9\n"), "no fault");
}

// toml++ has assertions where these need errors.
TEST(Toml, RefusesMalformedKeysInsteadOfAborting) {
  for (const char* text :
       {"a = {, = 1}", "a = {x = 1, = 2}", "a = {x = 1, [}", "a.= 1", "[.]", "[a.]", "= 1", "a = {=}"}) {
    EXPECT_EQ(fault_of(std::string("ok = 1\n") + text + "\nb = 2\n").substr(0, 9), "p.toml:2:") << text;
  }
}

TEST(Toml, LimitsTheDepth) {
  EXPECT_NE(fault_of("a = " + std::string(5000, '[') + std::string(5000, ']')), "no fault");
  std::string key = "a";
  for (int i = 0; i < 300; ++i) key += ".a";
  EXPECT_NE(fault_of(key + " = 1\n"), "no fault");
  for (int i = 0; i < 200'000; ++i) key += ".a";
  EXPECT_NE(fault_of(key + " = 1\n"), "no fault");
  EXPECT_NE(fault_of("[" + key + "]\n"), "no fault");
}

}  // namespace
}  // namespace dae
