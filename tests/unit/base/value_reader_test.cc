#include <gtest/gtest.h>

#include "base/value.h"

namespace dae {
namespace {

template <typename Body>
Error fault_in(std::string_view text, Body body) {
  const Document document = parse_yaml(text, "a.yaml");
  try {
    Reader reader(document);
    body(reader);
    reader.finish();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    return error;
  }
  ADD_FAILURE() << "accepted: " << text;
  return Error(ErrorKind::failed, "accepted");
}

TEST(Reader, NamesAStrayKeyWithItsPlaceAndTheNearestKnownOne) {
  const Error error = fault_in("name: x\ninstnaces:\n  web: 1\n", [](Reader& r) {
    r.required_string("name");
    r.optional("instances");
  });
  EXPECT_STREQ(error.what(), "a.yaml:2:1: unknown key `instnaces`");
  EXPECT_EQ(error.hint(), "did you mean `instances`?");
}

TEST(Reader, ListsTheKnownKeysWhenNoneIsNear) {
  const Error error = fault_in("outer:\n  zebra: 1\n", [](Reader& r) {
    auto inner = r.object("outer");
    inner->string("name");
    inner->string("path");
    inner->finish();
  });
  EXPECT_STREQ(error.what(), "a.yaml:2:3: unknown key `zebra` in `outer`");
  EXPECT_EQ(error.hint(), "known keys: name, path");
}

TEST(Reader, TellsAMissingKeyFromAnEmptyOne) {
  EXPECT_STREQ(fault_in("x: 1\n", [](Reader& r) { r.required("name"); }).what(), "a.yaml:1:1: missing key `name`");
  EXPECT_STREQ(fault_in("x: 1\nname:\n", [](Reader& r) { r.required("name"); }).what(),
               "a.yaml:2:1: `name` has no value");
  EXPECT_STREQ(fault_in("name: ''\n", [](Reader& r) { r.required_string("name"); }).what(),
               "a.yaml:1:7: `name` must not be empty");
}

TEST(Reader, AsksForQuotesRoundANumberThatShouldBeText) {
  const Error error = fault_in("python: 3.10\n", [](Reader& r) { r.required_string("python"); });
  EXPECT_STREQ(error.what(), "a.yaml:1:9: `python` must be a string, found a number");
  EXPECT_EQ(error.hint(), "put it in quotes");
}

TEST(Reader, ChecksRangesAndDurations) {
  EXPECT_STREQ(fault_in("n: 0\n", [](Reader& r) { r.integer("n", 1, 1, 10); }).what(),
               "a.yaml:1:4: `n` must be between 1 and 10");
  EXPECT_STREQ(fault_in("n: 0\n", [](Reader& r) { r.integer("n", 1, 1); }).what(),
               "a.yaml:1:4: `n` must be at least 1");
  EXPECT_STREQ(fault_in("t: 30\n", [](Reader& r) { r.duration_ms("t", 1); }).what(),
               "a.yaml:1:4: `t` must be a duration, found an integer");
  EXPECT_STREQ(fault_in("t: soon\n", [](Reader& r) { r.duration_ms("t", 1); }).what(),
               "a.yaml:1:4: `t` must be a duration, found `soon`");
  const Document document = parse_yaml("t: 1.5s\n", "a");
  EXPECT_EQ(Reader(document).duration_ms("t", 1), 1500);
}

TEST(Reader, ReadsListsAndMapsOfStrings) {
  const Document document = parse_yaml("one: a\nmany: [a, b]\nmap: {k: v}\n", "a");
  Reader reader(document);
  EXPECT_EQ(reader.strings("one"), std::vector<std::string>{"a"});
  EXPECT_EQ(reader.strings("many"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(reader.string_map("map"), (std::map<std::string, std::string>{{"k", "v"}}));
  EXPECT_TRUE(reader.strings("absent").empty());
  EXPECT_NO_THROW(reader.finish());
}

TEST(Reader, NamesTheItemOfAListThatIsNoString) {
  EXPECT_STREQ(fault_in("many: [a, 2]\n", [](Reader& r) { r.strings("many"); }).what(),
               "a.yaml:1:11: `many[1]` must be a string, found an integer");
  EXPECT_STREQ(fault_in("map: {k: [1]}\n", [](Reader& r) { r.string_map("map"); }).what(),
               "a.yaml:1:10: `map.k` must be a string, found a list");
}

TEST(Reader, RefusesARootThatIsNoMapping) {
  EXPECT_STREQ(fault_in("", [](Reader&) {}).what(), "a.yaml:1:1: the file is empty, expected a mapping");
  EXPECT_STREQ(fault_in("- a\n", [](Reader&) {}).what(), "a.yaml:1:1: the file must be a mapping, found a list");
}

TEST(NearestName, FindsTypingSlipsOnly) {
  const std::vector<std::string> names{"build", "publish", "deploy", "status"};
  EXPECT_EQ(nearest_name("biuld", names), "build");
  EXPECT_EQ(nearest_name("Deploy", names), "deploy");
  EXPECT_EQ(nearest_name("pubish", names), "publish");
  EXPECT_EQ(nearest_name("rollback", names), "");
  EXPECT_EQ(nearest_name(std::string(100'000, 'x'), names), "");
}

}  // namespace
}  // namespace dae
