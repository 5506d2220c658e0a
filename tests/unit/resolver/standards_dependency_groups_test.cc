#include <gtest/gtest.h>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/standards/dependency_groups.h"

namespace dae::resolver {
namespace {

std::string expanded(const std::string& toml, const std::string& name) {
  const Document document = parse_toml(toml, "pyproject.toml");
  std::string out;
  for (const auto& item : DependencyGroups(Reader(document)).expand(name)) {
    out += item.requirement.text() + ":" + std::to_string(item.position.line) + " ";
  }
  return out;
}

std::string failure(const std::string& toml, const std::string& name) {
  try {
    expanded(toml, name);
  } catch (const Error& error) {
    return std::string(error.what()) + " " + error.hint();
  }
  return "";
}

TEST(DependencyGroups, PutIncludedOnesInPlaceAndKeepWhatComesTwice) {
  EXPECT_EQ(expanded("a = ['x>=1', {include-group = 'B_c'}, 'y']\nb-C = ['x', 'z']\n", "a"), "x>=1:1 x:2 z:2 y:1 ");
  EXPECT_EQ(expanded("a = [{include-group = 'b'}, {include-group = 'b'}]\nb = ['x']\n", "a"), "x:2 x:2 ");
}

TEST(DependencyGroups, NameTheCircle) {
  const std::string toml =
      "a = [{include-group='b'}]\nb = [{include-group='c'}]\nc = [{include-group='b'}]\nd = [{include-group='d'}]\n";
  EXPECT_NE(failure(toml, "a").find("pyproject.toml:3:6: group `b` includes itself: b -> c -> b"), std::string::npos);
  EXPECT_NE(failure(toml, "d").find("d -> d"), std::string::npos);
}

TEST(DependencyGroups, AreLookedAtWhenAskedForOnly) {
  const std::string toml = "good = ['x']\nbad = ['not one!']\nworse = 1\n";
  EXPECT_EQ(expanded(toml, "good"), "x:1 ");
  EXPECT_NE(failure(toml, "bad").find("pyproject.toml:2:8"), std::string::npos);
  EXPECT_NE(failure(toml, "worse").find("must be a list"), std::string::npos);
}

TEST(DependencyGroups, RefuseWhatTheSpecificationDoes) {
  EXPECT_NE(failure("a = []\nA = []\n", "a").find("twice"), std::string::npos);
  EXPECT_NE(failure("tests = []\na = [{include-group = 'test'}]\n", "a").find("did you mean `tests`?"),
            std::string::npos);
  EXPECT_NE(failure("a = [{include-groups = 'b'}]\nb = []\n", "a").find("include-group"), std::string::npos);
  EXPECT_NE(failure("a = [{include-group = 'b', x = 1}]\nb = []\n", "a").find("`x`"), std::string::npos);
  EXPECT_NE(failure("a = [1]\n", "a").find("expected a requirement"), std::string::npos);
  EXPECT_NE(failure("a = [[]]\n", "a").find("expected a requirement"), std::string::npos);
}

TEST(DependencyGroups, DoNotExplode) {
  std::string toml = "g0 = []\n";
  for (int i = 1; i < 40; ++i) {
    const std::string include = "{include-group = 'g" + std::to_string(i - 1) + "'}";
    toml += "g" + std::to_string(i) + " = [" + include + ", " + include + "]\n";
  }
  EXPECT_NE(failure(toml, "g39").find("too many requirements"), std::string::npos);
  std::string deep = "g0 = []\n";
  for (int i = 1; i < 5000; ++i) {
    deep += "g" + std::to_string(i) + " = [{include-group = 'g" + std::to_string(i - 1) + "'}]\n";
  }
  EXPECT_NE(failure(deep, "g4999").find("too deeply"), std::string::npos);
}

}  // namespace
}  // namespace dae::resolver
