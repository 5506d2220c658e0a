// What a look at the packages of an environment finds. The rest is tested as a user sees it:
// tests/cli/test_environment.py.
#include "resolver/install/doctor.h"
#include "environment_fixture.h"

namespace dae::resolver {
namespace {

using State = DoctorCheck::State;

class DoctorTest : public testing::EnvironmentFixture {
 protected:
  static StandingDistribution standing(const std::string& name, const std::string& version,
                                       std::vector<std::string> requires_dist = {}, bool foreign = false) {
    return {name, version, name + "-" + version + ".dist-info", std::move(requires_dist), "", foreign, ""};
  }
  DoctorCheck dependencies(const std::vector<StandingDistribution>& all, const std::set<std::string>& overridden = {}) {
    return check_dependencies(all, python_.target(), overridden);
  }
};

TEST_F(DoctorTest, DependenciesAreCheckedWithMarkersAndExtras) {
  EXPECT_EQ(dependencies(
                {standing("a", "1.0", {"b>=2", "c; sys_platform == 'win32'", "d; extra == 'x'"}), standing("b", "2.1")})
                .state,
            State::ok);
  const DoctorCheck check =
      dependencies({standing("a", "1.0", {"b>=2", "missing>1; python_version > '3'"}), standing("b", "1.9")});
  EXPECT_EQ(check.state, State::problem);
  EXPECT_EQ(check.details,
            (std::vector<std::string>{"a 1.0 needs b>=2: 1.9 is installed", "a 1.0 needs missing>1: not installed"}));
  EXPECT_EQ(dependencies({standing("a", "1.0", {"b>=2"}), standing("b", "1.9")}, {"b"}).state, State::ok);
  EXPECT_EQ(dependencies({standing("a", "1.0", {"b>=2.0"}), standing("b", "2.0rc1")}).state, State::problem);
  EXPECT_EQ(dependencies({standing("a", "1.0", {"b>=1"}), standing("b", "2.0rc1")}).state, State::ok);
  StandingDistribution future = standing("f", "1");
  future.requires_python = ">=4";
  EXPECT_EQ(dependencies({future}).details, std::vector<std::string>{"f 1 needs Python >=4"});
}

TEST_F(DoctorTest, DuplicatesNameTheOneThatIsTooMuch) {
  EXPECT_EQ(check_duplicates({standing("a", "1.0"), standing("b", "1.0")}).state, State::ok);
  const DoctorCheck check = check_duplicates({standing("a", "1.0"), standing("a", "2.0", {}, true)});
  EXPECT_EQ(check.state, State::problem);
  EXPECT_NE(check.hint.find("remove `a-2.0.dist-info`"), std::string::npos) << check.hint;
}

TEST_F(DoctorTest, WhatStandsThereIsReadWhoeverInstalledIt) {
  install({stored(testing::fancy_wheel())});
  make_dirs(site() / "alien-2.0.dist-info");
  write_file_atomic(site() / "alien-2.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: Alien\nVersion: 2.0\n");
  write_file_atomic(site() / "old.egg-info", "Metadata-Version: 1.0\nName: old\nVersion: 0.1\n");
  make_dirs(site() / "torn-1.dist-info");
  const auto all = standing_distributions(env_);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].name, "fancy-pkg");
  EXPECT_FALSE(all[0].foreign);
  EXPECT_EQ(all[1].name, "alien");
  EXPECT_TRUE(all[1].foreign);
  EXPECT_EQ(all[2].version, "0.1");
  EXPECT_FALSE(all[3].broken.empty());
  EXPECT_EQ(check_foreign(all).details.size(), 3u);
  EXPECT_EQ(dependencies(all).state, State::problem) << "one cannot be read";
}

TEST_F(DoctorTest, AnEnvironmentOfLinksHasToBeKnownToItsStore) {
  store_.link_mode = LinkMode::symlink;
  install({stored(testing::fancy_wheel())});
  const auto store_check = [&] {
    DoctorQuestion question;
    question.env = env_;
    question.store = store_;
    for (const DoctorCheck& check : examine_environment(*runner_, question, events_)) {
      if (check.name == "store") return check;
    }
    return DoctorCheck{};
  };
  EXPECT_EQ(store_check().state, State::ok) << store_check().text;
  remove_all(store_.unpacked / "roots");
  EXPECT_EQ(store_check().state, State::problem);
}

}  // namespace
}  // namespace dae::resolver
