// Who decides which Python an app gets.
#include <gtest/gtest.h>

#include "base/error.h"
#include "resolver/install/env_layout.h"
#include "resolver/install/interpreter_choice.h"
#include "resolver/install/interpreter_wish.h"
#include "scoped_env.h"
#include "support/error_of.h"

namespace dae::resolver {
namespace {

using dae::testing::error_of;
using testing::ScopedEnv;

class InterpreterChoiceTest : public ::testing::Test {
 protected:
  // Answers the probe as an interpreter of that version would.
  Path fake(const Path& path, const std::string& version, const std::string& more = "") {
    make_dirs(path.parent_path());
    write_file_atomic(path,
                      "#!/bin/sh\necho '{\"implementation\": \"cpython\", \"cache_tag\": \"cpython-3\", " + more +
                          "\"executable\": \"" + path.string() + "\", \"real_executable\": \"" + path.string() +
                          "\", \"version\": \"" + version + "\", \"platform\": \"linux-x86_64\", \"bits\": 64}'\n",
                      0755);
    return path;
  }
  std::string chosen(const std::string& allowed = "", const std::string& flag = "") {
    return choose_interpreter(*runner_, {flag, app_, allowed, "app.yaml"}).version;
  }
  void SetUp() override {
    make_dirs(app_);
    for (const char* version : {"3.10", "3.11", "3.12"}) {
      fake(bin_ / ("python" + std::string(version)), std::string(version) + ".4");
    }
    fake(bin_ / "python3", "3.10.4");
  }

  TempDir dir_;
  const Path bin_ = dir_.path() / "bin", home_ = dir_.path() / "home", app_ = home_ / "work/app";
  ScopedEnv cache_{"DAE_CACHE_DIR", (dir_.path() / "cache").string()};
  ScopedEnv path_{"PATH", bin_.string()};
  ScopedEnv home_variable_{"HOME", home_.string()};
  ScopedEnv pyenv_{"PYENV_ROOT", (home_ / ".pyenv").string()};
  ScopedEnv python_{"DAE_PYTHON", ""};
  std::unique_ptr<ProcessRunner> runner_ = make_process_runner();
};

TEST_F(InterpreterChoiceTest, TheFlagGoesBeforeTheVariableThatBeforeTheFile) {
  EXPECT_EQ(chosen(), "3.10.4");
  write_file_atomic(home_ / "work/.python-version", "# ours\n\n3.11  # until spring\n3.12\n");
  EXPECT_EQ(chosen(), "3.11.4");
  EXPECT_EQ(chosen(">=3.12"), "3.12.4") << "the first line that is allowed";
  const ScopedEnv variable("DAE_PYTHON", "3.12");
  EXPECT_EQ(chosen(), "3.12.4");
  EXPECT_EQ(chosen("", "3.10"), "3.10.4");
  EXPECT_EQ(chosen("", (bin_ / "python3.11").string()), "3.11.4");
}

TEST_F(InterpreterChoiceTest, AVersionFileIsLookedForUpToTheHomeOrARepository) {
  write_file_atomic(dir_.path() / ".python-version", "3.12\n");
  EXPECT_EQ(chosen(), "3.10.4") << "above the home directory";
  write_file_atomic(home_ / ".python-version", "3.11\n");
  EXPECT_EQ(chosen(), "3.11.4");
  make_dirs(home_ / "work/.git");
  EXPECT_EQ(chosen(), "3.10.4") << "outside of the repository";
  write_file_atomic(app_ / ".python-version", "3.12.4\n");
  EXPECT_EQ(chosen(), "3.12.4");
}

TEST_F(InterpreterChoiceTest, AVersionFileThatContradictsTheAppNamesBoth) {
  write_file_atomic(app_ / ".python-version", "3.10\n");
  const Error error = error_of([&] { chosen(">=3.11"); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_EQ(error.subject(), (app_ / ".python-version").string());
  EXPECT_EQ(error.message(), "it asks for Python 3.10, and app.yaml allows `>=3.11` only");
}

TEST_F(InterpreterChoiceTest, WhatIsMissingIsSaidWithWhatWasSeenAndWhy) {
  write_file_atomic(app_ / ".python-version", "3.9.1\n");
  const Error error = error_of([&] { chosen("<3.12"); });
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  EXPECT_EQ(error.subject(), (app_ / ".python-version").string());
  EXPECT_NE(error.message().find("`3.9.1` and `<3.12`"), std::string::npos) << error.message();
  EXPECT_NE(error.cause().find("3.12.4 (" + (bin_ / "python3.12").string() + "): it is not 3.9.1"), std::string::npos)
      << error.cause();
  EXPECT_NE(error.hint().find("pyenv install 3.9.1"), std::string::npos) << error.hint();
  const Error allowed = error_of([&] { choose_interpreter(*runner_, {"", {}, ">=3.13", "app.yaml"}); });
  EXPECT_NE(allowed.cause().find("3.11.4 (" + (bin_ / "python3.11").string() + "): `>=3.13` excludes it"),
            std::string::npos)
      << allowed.cause();
}

TEST_F(InterpreterChoiceTest, OtherImplementationsInAVersionFileAreRefusedByLine) {
  write_file_atomic(app_ / ".python-version", "# x\npypy3.10-7.3.12\n");
  EXPECT_EQ(error_of([&] { chosen(); }).subject(), (app_ / ".python-version").string() + ":2");
  EXPECT_NE(error_of([&] { chosen(); }).message().find("not CPython"), std::string::npos);
  write_file_atomic(app_ / ".python-version", "my-environment\n");
  EXPECT_NE(error_of([&] { chosen(); }).message().find("no Python version"), std::string::npos);
  write_file_atomic(app_ / ".python-version", "system\n");
  EXPECT_EQ(chosen(), "3.10.4");
}

TEST_F(InterpreterChoiceTest, VersionManagersAreAskedWithoutAWordInPath) {
  fake(home_ / ".pyenv/versions/3.13.1/bin/python3", "3.13.1");
  fake(home_ / ".local/share/uv/python/cpython-3.14.2-linux-x86_64-gnu/bin/python3", "3.14.2");
  fake(home_ / ".local/share/mise/installs/python/3.9.20/bin/python3", "3.9.20");
  fake(home_ / ".asdf/installs/python/3.8.1/bin/python3", "3.8.1");
  const ScopedEnv data("XDG_DATA_HOME", "");
  EXPECT_EQ(chosen("", "3.13"), "3.13.1");
  EXPECT_EQ(chosen(">=3.13"), "3.14.2") << "the newest";
  EXPECT_EQ(chosen("", "cpython-3.9"), "3.9.20");
  EXPECT_EQ(chosen("", "py38"), "3.8.1");
}

TEST_F(InterpreterChoiceTest, AFreeThreadedBuildIsFoundByItsNameAndHasItsOwnFolder) {
  fake(bin_ / "python3.13", "3.13.2");
  fake(bin_ / "python3.13t", "3.13.2",
       "\"free_threaded\": true, \"site_packages\": \"lib/python3.13t/site-packages\", ");
  const Interpreter python = choose_interpreter(*runner_, {"3.13t", {}, "", ""});
  EXPECT_TRUE(python.free_threaded);
  EXPECT_EQ(EnvLayout("/e", python).site_packages(), "lib/python3.13t/site-packages");
  // What would lead out of the environment is not believed.
  fake(bin_ / "odd", "3.11.0", "\"site_packages\": \"lib/../../x/site-packages\", ");
  EXPECT_EQ(EnvLayout("/e", probe_interpreter(*runner_, bin_ / "odd")).site_packages(), "lib/python3.11/site-packages");
}

TEST_F(InterpreterChoiceTest, APrefixStandsForItsInterpreter) {
  fake(home_ / "prefix/bin/python3", "3.12.9");
  EXPECT_EQ(chosen("", (home_ / "prefix").string()), "3.12.9");
}

TEST(PythonWish, IsReadInTheFormsThatPeopleWrite) {
  for (const char* text : {"3.11", "python3.11", "py3.11", "py311", "cp311", "cpython-3.11", "cpython@3.11", "311"}) {
    const auto wish = parse_python_wish(text);
    ASSERT_TRUE(wish) << text;
    EXPECT_EQ(wish->version, "3.11") << text;
    EXPECT_FALSE(wish->free_threaded) << text;
  }
  EXPECT_TRUE(parse_python_wish("3.13t")->free_threaded);
  EXPECT_EQ(parse_python_wish("3")->version, "3");
  for (const char* text : {"", "t", "python", "pypy3.10", "three", "3.11-dev", "1!3.11", "3.11+x", "12345", "venv"}) {
    EXPECT_FALSE(parse_python_wish(text)) << text;
  }
}

TEST(PythonWish, KnowsWhetherItMayFit) {
  const auto fits = [](const char* wish, const char* allowed) {
    return parse_python_wish(wish)->may_fit(SpecifierSet::parse(allowed));
  };
  EXPECT_TRUE(fits("3.11", ">=3.11.5"));
  EXPECT_FALSE(fits("3.11", ">=3.12"));
  EXPECT_FALSE(fits("3.11.4", ">=3.11.5"));
  EXPECT_TRUE(fits("3", "<3.9"));
  EXPECT_FALSE(fits("3", "<3"));
  EXPECT_TRUE(fits("3.13rc1", ">=3.13rc1"));
  EXPECT_TRUE(parse_python_wish("3.13rc1")->specifiers().contains(Version::parse("3.13rc1")));
}

}  // namespace
}  // namespace dae::resolver
