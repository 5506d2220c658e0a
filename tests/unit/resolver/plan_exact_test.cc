// What dae did not install leaves an environment when it is asked to, and only what RECORDs list.
#include <set>

#include "environment_fixture.h"
#include "resolver/install/doctor.h"
#include "resolver/install/env_state.h"

namespace dae::resolver {
namespace {

using testing::EnvironmentFixture;
using testing::fancy_wheel;
using testing::WheelBuilder;

class Exact : public EnvironmentFixture {
 protected:
  // As another installer would leave it: files, and a RECORD that lists them (paths relative to site-packages).
  void stranger(const std::string& name, const std::map<std::string, std::string>& files, bool with_record = true) {
    const std::string info = name + "-2.0.dist-info";
    std::string record;
    std::map<std::string, std::string> all = files;
    all[info + "/METADATA"] = "Metadata-Version: 2.1\nName: " + name + "\nVersion: 2.0\n\n";
    for (const auto& [path, text] : all) {
      make_dirs((site() / path).parent_path());
      write_file_atomic(site() / path, text);
      record += path + ",sha256=" + digest_base64url(Digest::of(text)) + "," + std::to_string(text.size()) + "\n";
    }
    if (with_record) write_file_atomic(site() / info / "RECORD", record + info + "/RECORD,,\n");
  }
  InstallPlan exact(const std::vector<WheelToInstall>& wanted) {
    InstallPlan plan = plan_install(env_, python_, wanted);
    plan_exact(plan, env_, python_, wanted);
    return plan;
  }
  InstallPlan install_exactly(const std::vector<WheelToInstall>& wanted) {
    const InstallPlan plan = exact(wanted);
    apply_install(plan, env_, python_, *blobs_, store_, events_);
    return plan;
  }
  std::map<std::string, std::string> now() const {
    auto out = contents(env_);
    out.erase("dae-env.json");
    return out;
  }
};

TEST_F(Exact, RemovesWhatOthersInstalledAndNothingElse) {
  const std::vector<WheelToInstall> wanted{stored(fancy_wheel())};
  install(wanted);
  const auto before = now();
  stranger("extra", {{"extra/__init__.py", ""}, {"extra/deep/a.py", "A = 1\n"}, {"../../../bin/extra", "#!/bin/sh\n"}});
  make_dirs(site() / "extra/__pycache__");
  write_file_atomic(site() / "extra/__pycache__/__init__.cpython-311.pyc", "compiled");
  EXPECT_TRUE(plan_install(env_, python_, wanted).empty());
  const InstallPlan plan = exact(wanted);
  ASSERT_EQ(plan.foreign.size(), 1u);
  EXPECT_EQ(plan.foreign[0].name, "extra");
  EXPECT_EQ(plan.foreign[0].version, "2.0");
  EXPECT_FALSE(plan.empty());
  install_exactly(wanted);
  EXPECT_EQ(now(), before);
  EXPECT_TRUE(exact(wanted).empty());
}

TEST_F(Exact, WhatNoRecordListsStays) {
  const std::vector<WheelToInstall> wanted{stored(fancy_wheel())};
  install(wanted);
  stranger("lost", {{"lost.py", "x"}}, false);
  stranger("extra", {{"extra/__init__.py", ""}});
  write_file_atomic(site() / "extra/notes.txt", "mine");
  make_dirs(site() / "old-1.0.egg-info");
  write_file_atomic(site() / "old-1.0.egg-info/PKG-INFO", "Metadata-Version: 1.0\nName: old\nVersion: 1.0\n\n");
  write_file_atomic(site() / "loose.py", "");
  const InstallPlan plan = install_exactly(wanted);
  EXPECT_EQ(plan.immovable,
            (std::vector<std::string>{"lost 2.0: it has no RECORD", "old 1.0: it is an egg, which lists no files"}));
  EXPECT_TRUE(exists(site() / "lost.py"));
  EXPECT_TRUE(exists(site() / "loose.py"));
  EXPECT_TRUE(exists(site() / "extra/notes.txt"));
  EXPECT_FALSE(exists(site() / "extra/__init__.py"));
}

TEST_F(Exact, ARecordThatNamesTheEnvironmentItselfOrPlacesOutsideRemovesNeither) {
  const std::vector<WheelToInstall> wanted{stored(fancy_wheel())};
  install(wanted);
  const auto before = now();
  write_file_atomic(dir_.path() / "outside", "mine");
  stranger("bad", {{"bad.py", ""}});
  std::string record = read_file(site() / "bad-2.0.dist-info/RECORD");
  for (const char* path : {"../../../bin/python", "../../../pyvenv.cfg", "../../../bin/activate",
                           "../../../dae-env.json", "../../../../outside", "fancy/__init__.py"})
    record += std::string(path) + ",,\n";
  record += (dir_.path() / "outside").string() + ",,\n";
  write_file_atomic(site() / "bad-2.0.dist-info/RECORD", record);
  install_exactly(wanted);
  EXPECT_EQ(now(), before) << "a file that one of ours lists is ours";
  EXPECT_TRUE(exists(dir_.path() / "outside"));
  EXPECT_EQ(run({(env_ / "bin/fancy").string()}).exit_code, 0);
}

TEST_F(Exact, APackageThatWasReplacedByHandIsOursAgain) {
  for (const LinkMode mode : {LinkMode::hardlink, LinkMode::symlink}) {
    store_.link_mode = mode;
    env_ = dir_.path() / ("env-" + std::string(link_mode_name(mode)));
    const std::vector<WheelToInstall> wanted{stored(WheelBuilder("a", "1.0").file("a/__init__.py", "X = 1\n"))};
    install(wanted);
    const auto before = now();
    // What an uninstall by RECORD and an install of another version leave.
    for (const std::string name : {"a", "a-1.0.dist-info"}) remove_all(site() / name);
    stranger("a", {{"a/__init__.py", "X = 2\n"}, {"a/more.py", ""}});
    EXPECT_TRUE(plan_install(env_, python_, wanted).empty());
    install_exactly(wanted);
    EXPECT_EQ(now(), before);
    EXPECT_EQ(read_file(site() / "a/__init__.py"), "X = 1\n");
    EXPECT_EQ(read_env_state(env_)->packages.size(), 1u);
  }
}

TEST_F(Exact, TheSeedsOfAnEnvironmentThatDaeDidNotMakeStay) {
  ProcessSpec venv;
  venv.argv = {python_.executable.string(), "-m", "venv", "--without-pip", env_.string()};
  if (runner_->run(venv).exit_code != 0) GTEST_SKIP() << "no venv here";
  stranger("pip", {{"pip/__init__.py", ""}});
  stranger("extra", {{"extra.py", ""}});
  const std::vector<WheelToInstall> wanted{stored(fancy_wheel())};
  const InstallPlan plan = install_exactly(wanted);
  ASSERT_EQ(plan.foreign.size(), 1u);
  EXPECT_EQ(plan.foreign[0].name, "extra");
  EXPECT_TRUE(exists(site() / "pip/__init__.py"));
  EXPECT_FALSE(exists(site() / "extra.py"));
}

TEST_F(Exact, AnEnvironmentThatIsMadeHereKeepsNoPip) {
  const std::vector<WheelToInstall> wanted{stored(fancy_wheel())};
  install(wanted);
  stranger("pip", {{"pip/__init__.py", ""}});
  install_exactly(wanted);
  EXPECT_FALSE(exists(site() / "pip"));
}

TEST_F(Exact, WhereThereIsNoEnvironmentThereIsNothingToRemove) {
  const std::vector<WheelToInstall> wanted{stored(fancy_wheel())};
  EXPECT_TRUE(exact(wanted).foreign.empty());
  install_exactly(wanted);
  EXPECT_TRUE(exact(wanted).empty());
}

TEST_F(Exact, AKilledRemovalIsTakenUpByTheNextInstall) {
  const std::vector<WheelToInstall> wanted{stored(fancy_wheel())};
  install(wanted);
  const auto before = now();
  stranger("extra", {{"extra/__init__.py", ""}, {"extra/b.py", ""}});
  const InstallPlan plan = exact(wanted);
  EnvState state = *read_env_state(env_);
  state.applying = plan.foreign;
  write_env_state(env_, state, Durability::none);
  remove_file(site() / "extra/b.py");
  install(wanted);
  EXPECT_EQ(now(), before);
}

}  // namespace
}  // namespace dae::resolver
