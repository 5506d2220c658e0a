#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "resolver/standards/marker_algebra.h"

namespace dae::resolver {
namespace {

Marker marker(std::string_view text) {
  return Marker::parse(text);
}

std::string simplified(std::string_view text, std::string_view assumption = "") {
  return simplify(marker(text), assumption.empty() ? Marker() : marker(assumption)).text();
}

std::string under(std::string_view text, std::string_view requires_python) {
  return simplify(marker(text), SpecifierSet::parse(requires_python)).text();
}

TEST(MarkerAlgebra, LeavesOutWhatRequiresPythonSettles) {
  const std::tuple<const char*, const char*, const char*> table[] = {
      {"python_version >= '3.8' and sys_platform == 'linux'", ">=3.9", "sys_platform == \"linux\""},
      {"python_version >= '3.8'", ">=3.9", ""},
      {"python_version < '3.8' or os_name == 'nt'", ">=3.9", "os_name == \"nt\""},
      {"python_version < '3.8'", ">=3.9", kNeverMarker},
      {"python_version >= '3.8' and python_version < '3.11'", ">=3.9", "python_version < \"3.11\""},
      {"python_version >= '3.10' and python_version < '3.13'", ">=3.9,<3.12", "python_version >= \"3.10\""},
      {"python_version == '3.9'", "==3.9.*", ""},
      {"python_version in '3.9 3.10 3.11'", ">=3.10,<3.14", "python_version < \"3.12\""},
      {"python_full_version >= '3.9.2'", "~=3.9", "python_full_version >= \"3.9.2\""},
      {"python_full_version < '3.9.2' or extra == 'x'", ">=3.10", "extra == \"x\""},
      {"os_name == 'nt'", "", "os_name == \"nt\""},
  };
  for (const auto& [text, requires_python, expected] : table) {
    EXPECT_EQ(under(text, requires_python), expected) << text << " under " << requires_python;
  }
}

TEST(MarkerAlgebra, WritesTheShortestText) {
  const std::pair<const char*, const char*> table[] = {
      {"os_name == 'nt' and os_name == 'nt'", "os_name == \"nt\""},
      {"os_name == 'nt' or os_name != 'nt'", ""},
      {"os_name == 'nt' and os_name == 'posix'", kNeverMarker},
      {"python_version >= '3.8' or sys_platform == 'win32' and python_version < '3.8'",
       "python_version >= \"3.8\" or sys_platform == \"win32\""},
      {"python_version >= '3.8' and python_version >= '3.9'", "python_version >= \"3.9\""},
      {"python_version != '3.9' and python_version >= '3.8'",
       "python_version >= \"3.8\" and python_version != \"3.9\""},
      {"python_version < '3.9' or python_version > '3.9'", "python_version != \"3.9\""},
      {"python_version == '3.9' or python_version == '3.10'",
       "python_version >= \"3.9\" and python_version < \"3.11\""},
      {"'3.9' <= python_version", "python_version >= \"3.9\""},
      {"'3.9+' > python_version", "python_version < \"3.9\""},
      {"python_version ~= '3.9' and python_version >= '3.8'", "python_version >= \"3.9\" and python_version < \"4.0\""},
      {"python_version == '3.* '", "python_version == \"3.*\""},
      {"python_version == '3.*'", "python_version == \"3.*\""},
      {"python_full_version >= '3.9.dev0' and python_full_version < '3.10'", "python_version == \"3.9\""},
      {"python_full_version == '3.9.2.*' or python_full_version == '3.9.3'",
       "python_full_version == \"3.9.2.*\" or python_full_version == \"3.9.3\""},
      {"os_name != 'nt' and os_name != 'java' or os_name == 'posix'", "os_name != \"java\" and os_name != \"nt\""},
      {"sys_platform == 'win32' and extra == 'x' or os_name == 'nt' and extra == 'x'",
       "(os_name == \"nt\" or sys_platform == \"win32\") and extra == \"x\""},
      {"(os_name == 'a' or extra == 'b') and (sys_platform == 'c' or extra == 'd')",
       "(os_name == \"a\" or extra == \"b\") and (sys_platform == \"c\" or extra == \"d\")"},
      {"extra == 'A_b' or 'a-b' == extra", "extra == \"a-b\""},
      {"'x' in extras and 'dev' not in dependency_groups", "\"dev\" not in dependency_groups and \"x\" in extras"},
      {"'nux' in sys_platform and sys_platform == 'linux'", "sys_platform == \"linux\""},
      {"'nux' in sys_platform and sys_platform == 'win32'", kNeverMarker},
      {"sys_platform < 'linux' or platform_release >= '5'", "platform_release >= \"5\""},
      {"platform_release >= '5.10.*'", "platform_release >= \"5.10.*\""},  // == would ask for the series
      {"implementation_version < '3.9' and implementation_version < '3.8'", "implementation_version < \"3.8\""},
  };
  for (const auto& [text, expected] : table) {
    EXPECT_EQ(simplified(text), expected) << text;
    if (*expected) {
      EXPECT_EQ(simplified(expected), expected);
    }
  }
}

TEST(MarkerAlgebra, SimplifiesUnderAnyOtherMarker) {
  EXPECT_EQ(simplified("sys_platform == 'linux' and extra == 'x'", "sys_platform == 'linux'"), "extra == \"x\"");
  EXPECT_EQ(simplified("sys_platform == 'linux' and extra == 'x'", "sys_platform == 'win32'"), kNeverMarker);
  EXPECT_EQ(simplified("sys_platform != 'win32'", "sys_platform == 'linux' or sys_platform == 'darwin'"), "");
  EXPECT_EQ(simplified("'nux' in sys_platform", "sys_platform == 'linux'"), "");
  EXPECT_EQ(simplified("python_version >= '3.9' or os_name == 'nt'", "os_name == 'nt' or python_version < '3.8'"),
            "os_name == \"nt\"");
}

TEST(MarkerAlgebra, KnowsThatPythonVersionIsAPartOfTheFullVersion) {
  EXPECT_TRUE(implies(marker("python_full_version >= '3.9.1'"), marker("python_version >= '3.9'")));
  EXPECT_FALSE(implies(marker("python_version >= '3.9'"), marker("python_full_version >= '3.9'")));  // 3.9.0rc1
  EXPECT_TRUE(are_disjoint(marker("python_version == '3.8'"), marker("python_full_version >= '3.9'")));
  EXPECT_TRUE(are_equivalent(marker("python_version == '3.10'"), marker("python_full_version >= '3.10.dev0' and "
                                                                        "python_version < '3.11'")));
  EXPECT_FALSE(are_disjoint(marker("python_version < '3.9'"), marker("python_full_version < '3.8.5'")));
  EXPECT_TRUE(are_disjoint(marker("python_version <= '3.9'"), marker("python_version > '3.9'")));
  EXPECT_TRUE(are_equivalent(marker("python_version > '3.9.1'"), marker("python_version >= '3.10'")));
}

TEST(MarkerAlgebra, SaysDisjointOnlyWhereItIsSure) {
  EXPECT_TRUE(are_disjoint(marker("sys_platform == 'linux'"), marker("sys_platform == 'win32'")));
  EXPECT_TRUE(are_disjoint(marker("extra == 'x'"), marker("extra != 'x' and os_name == 'nt'")));
  EXPECT_FALSE(are_disjoint(marker("extra == 'x'"), marker("extra == 'y'")));  // both may be asked for
  EXPECT_FALSE(are_disjoint(marker("platform_release >= '6'"), marker("platform_release < '5'")));  // not decided
  EXPECT_TRUE(are_disjoint(marker("platform_release == 'foo'"), marker("platform_release == 'bar'")));
  EXPECT_FALSE(are_disjoint(Marker(), marker("os_name == 'nt'")));
  EXPECT_TRUE(implies(marker("os_name == 'nt'"), Marker()));
}

TEST(MarkerAlgebra, NegatesWhatAMarkerCanSay) {
  const std::pair<const char*, const char*> table[] = {
      {"os_name == 'nt'", "os_name != \"nt\""},
      {"python_version >= '3.8' and os_name == 'nt'", "python_version < \"3.8\" or os_name != \"nt\""},
      {"python_full_version >= '3.9.2'", "python_full_version <= \"3.9.2\" and python_full_version != \"3.9.2\""},
      {"python_full_version < '3.9.2'", "python_full_version >= \"3.9.2.dev0\""},
      {"python_full_version > '3.9.2'", "python_full_version <= \"3.9.2\""},
      {"extra == 'x'", "extra != \"x\""},
      {"'x' in sys_platform", "\"x\" not in sys_platform"},
      {"python_version in '3.8 3.9'", "python_version < \"3.8\" or python_version >= \"3.10\""},
  };
  for (const auto& [text, expected] : table) {
    const auto found = negation(marker(text));
    ASSERT_TRUE(found) << text;
    EXPECT_EQ(found->text(), expected);
    EXPECT_TRUE(are_equivalent(*negation(*found), marker(text))) << text;
  }
  EXPECT_EQ(negation(Marker())->text(), kNeverMarker);
  // No operator holds for every text that is no version and for the versions below 5, but for nothing else.
  EXPECT_FALSE(negation(marker("platform_release >= '5'")));
}

TEST(MarkerAlgebra, JoinsMarkersAsTheyAre) {
  const Marker either = marker("os_name == 'a' or os_name == 'b'"), third = marker("extra == 'c'");
  EXPECT_EQ(conjunction(either, third).text(), "(os_name == \"a\" or os_name == \"b\") and extra == \"c\"");
  EXPECT_EQ(disjunction(either, third).text(), "os_name == \"a\" or os_name == \"b\" or extra == \"c\"");
  EXPECT_EQ(conjunction(Marker(), third).text(), third.text());
  EXPECT_TRUE(disjunction(Marker(), third).always());
}

TEST(MarkerAlgebra, TakesRequiresPythonAsAMarker) {
  EXPECT_EQ(requires_python_marker(SpecifierSet::parse(">=3.8,!=3.9.*"))->text(),
            "python_full_version >= \"3.8\" and python_full_version != \"3.9.*\"");
  EXPECT_TRUE(requires_python_marker(SpecifierSet())->always());
  EXPECT_FALSE(requires_python_marker(SpecifierSet::parse("===a'b\"c")));
}

TEST(MarkerAlgebra, GivesUpOnHostileMarkers) {
  // The classic that is linear in one order of the variables and exponential in another.
  std::string hostile;
  for (int i = 0; i < 60; ++i) {
    hostile += (i ? " or " : "") + ("extra == 'a" + std::to_string(i)) + "' and '" + std::to_string(i) + "' in extras";
  }
  EXPECT_EQ(simplified(hostile), marker(hostile).text());
  EXPECT_FALSE(are_disjoint(marker(hostile), marker("os_name == 'nt'")));
  EXPECT_FALSE(negation(marker(hostile)));
  MarkerAlgebra algebra;
  const auto set = algebra.of(marker(hostile));
  EXPECT_FALSE(MarkerAlgebra::is_known(set));
  EXPECT_FALSE(MarkerAlgebra::is_known(algebra.negate(set)));
  EXPECT_FALSE(algebra.equivalent(set, set));

  std::string many = "extra == 'x'";
  for (int i = 0; i < 1000; ++i) many += " or extra == 'x" + std::to_string(i) + "'";
  EXPECT_EQ(simplified(many), marker(many).text());
  std::string versions = "python_version in '3.8";
  for (int i = 0; i < 2000; ++i) versions += " 3." + std::to_string(i);
  EXPECT_FALSE(simplified(versions + "'").empty());
}

// ---- random markers against random environments

class Random {
 public:
  explicit Random(uint64_t seed) : random_(seed) {}
  size_t below(size_t limit) { return static_cast<size_t>(random_() % limit); }
  template <size_t N>
  std::string pick(const char* const (&items)[N]) {
    return items[below(N)];
  }

  std::string comparison() {
    const std::string op = pick({"==", "!=", "<", "<=", ">", ">=", "==", ">=", "<"});
    const std::string membership = pick({"in", "not in"});
    switch (below(12)) {
      case 0:
      case 1:
        return "python_version " + op + " '" + pick({"3.8", "3.9", "3.10", "3", "3.9.1", "3.9rc1", "4.0", "3.8.dev0"}) +
               "'";
      case 2:
        return "python_full_version " + op + " '" +
               pick({"3.8", "3.9.0", "3.9.1", "3.10.0rc1", "3.9.2.post1", "3.9.dev0", "3.9.0rc1", "3.9.1.dev2"}) + "'";
      case 3:
        return "python_full_version " + pick({"== '3.9.*'", "!= '3.8.*'", "~= '3.9.0'", "== '3.9.1.*'", "=== '3.9.1'",
                                              "== '3.9.1+local'", ">= '3.9.*'", "in '3.9.1 3.10.0'"});
      case 4:
        return "python_version " + pick({"in '3.8 3.9'", "not in '3.10, 3.11'", "== '3.*'", "~= '3.9'", "=== '3.9'",
                                         "== 'x'", "!= 'x'", "~= '3'", "in 'x'"});
      case 5:
        return "'" + pick({"3.9", "3.10", "3.9.1", "3.9rc1"}) + "' " + op + " " +
               pick({"python_version", "python_full_version", "implementation_version"});
      case 6:
        return "implementation_version " + op + " '" + pick({"3.9", "3.10.0", "3.9.1a1"}) + "'";
      case 7:
        return "'" + pick({"x", "Y", "y"}) + "' " + membership + " " + pick({"extras", "dependency_groups", "extra"});
      case 8:
        return "extra " + pick({"== 'x'", "!= 'x'", "== 'Y'", "!= ''", "== ''", "> 'x'", ">= 'x'", "in 'x y'"});
      case 9:
        return pick({"'nux' in sys_platform", "sys_platform in 'linux win32'", "'win' not in sys_platform",
                     "os_name == sys_platform", "platform_release >= '5'", "platform_release == 'generic'",
                     "platform_release != '5'", "'gen' in platform_release"});
      default:
        return pick({"sys_platform", "os_name"}) + " " + op + " '" + pick({"linux", "win32", "nt", "posix"}) + "'";
    }
  }

  std::string text(int depth = 0) {
    std::string out;
    for (size_t i = 0, size = 1 + below(3); i < size; ++i) {
      if (i) out += pick({" and ", " or "});
      out += depth < 2 && below(3) == 0 ? "(" + text(depth + 1) + ")" : comparison();
    }
    return out;
  }

  struct Inputs {
    MarkerEnvironment environment;
    std::set<std::string> extras, groups;
  };
  Inputs inputs() {
    const std::string full =
        pick({"3.7.9", "3.8.0", "3.8.0rc1", "3.8.10", "3.9.0a1", "3.9.0rc1", "3.9.0", "3.9.1rc1", "3.9.1", "3.9.1+",
              "3.9.2", "3.9.3", "3.10.0rc1", "3.10.0", "3.10.2", "3.11.4", "4.0.0", "3.9.1.dev3"});
    Inputs out;
    out.environment.values = {
        {"python_full_version", full},
        {"python_version", full.substr(0, full.find('.', 2))},
        {"implementation_version", pick({"3.8.1", "3.9.0", "3.9.1", "3.10.0rc1", "3.10.0", "7.3.1"})},
        {"sys_platform", pick({"linux", "win32", "darwin"})},
        {"os_name", pick({"posix", "nt", "java", "linux"})},
        {"platform_release", pick({"5.10", "4.19", "6", "generic", "5", ""})}};
    for (const char* name : {"x", "y", "z"}) {
      if (below(3) == 0) out.extras.insert(name);
      if (below(3) == 0) out.groups.insert(name);
    }
    return out;
  }

 private:
  std::mt19937_64 random_;
};

bool holds(const Marker& marker, const Random::Inputs& in) {
  return marker.evaluate(in.environment, in.extras, in.groups);
}

TEST(MarkerAlgebra, AgreesWithEvaluationOnRandomMarkers) {
  Random random(20261121);
  size_t shorter = 0, negated = 0;
  for (int round = 0; round < 3000; ++round) {
    const std::string texts[] = {random.text(), random.text()};
    const Marker a = marker(texts[0]), b = marker(texts[1]);
    SCOPED_TRACE("a: " + texts[0] + "\nb: " + texts[1]);
    const Marker under_b = simplify(a, b), alone = simplify(a);
    const auto not_a = negation(a);
    const bool apart = are_disjoint(a, b), inside = implies(a, b), equal = are_equivalent(a, b);
    MarkerAlgebra algebra;
    const auto both = algebra.marker(algebra.both(algebra.of(a), algebra.of(b)));
    const auto either = algebra.marker(algebra.either(algebra.of(a), algebra.of(b)));
    shorter += under_b.text().size() < a.text().size();
    negated += not_a.has_value();
    for (int i = 0; i < 30; ++i) {
      const Random::Inputs in = random.inputs();
      const bool in_a = holds(a, in), in_b = holds(b, in);
      SCOPED_TRACE(in.environment.get("python_full_version"));
      ASSERT_EQ(holds(alone, in), in_a) << alone.text();
      if (in_b) {
        ASSERT_EQ(holds(under_b, in), in_a) << under_b.text();
      }
      if (not_a) {
        ASSERT_NE(holds(*not_a, in), in_a) << not_a->text();
      }
      if (both) {
        ASSERT_EQ(holds(*both, in), in_a && in_b) << both->text();
      }
      if (either) {
        ASSERT_EQ(holds(*either, in), in_a || in_b) << either->text();
      }
      ASSERT_EQ(holds(conjunction(a, b), in), in_a && in_b);
      ASSERT_EQ(holds(disjunction(a, b), in), in_a || in_b);
      if (apart) {
        ASSERT_FALSE(in_a && in_b);
      }
      if (inside) {
        ASSERT_TRUE(!in_a || in_b);
      }
      if (equal) {
        ASSERT_EQ(in_a, in_b);
      }
    }
  }
  EXPECT_GT(shorter, 1500u);
  EXPECT_GT(negated, 2000u);
}

TEST(MarkerAlgebra, GivesEqualSetsOneText) {
  Random random(7);
  for (int round = 0; round < 500; ++round) {
    const Marker a = marker(random.text());
    MarkerAlgebra algebra;
    const auto set = algebra.of(a);
    const auto text = algebra.marker(set);
    if (!text) continue;
    EXPECT_TRUE(algebra.equivalent(algebra.of(*text), set)) << a.text() << "\n" << text->text();
    MarkerAlgebra other;
    const auto again = other.marker(other.of(*text));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->text(), text->text()) << a.text();
  }
}

}  // namespace
}  // namespace dae::resolver
