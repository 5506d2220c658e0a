// Environments become what is wanted, whatever they were.
#include "environment_fixture.h"
#include "resolver/install/unpacked_store.h"

#include "resolver/install/entry_points.h"

namespace dae::resolver {
namespace {

using dae::testing::error_of;
using testing::EnvironmentFixture;
using testing::fancy_wheel;
using testing::WheelBuilder;

class Environment : public EnvironmentFixture {};

TEST_F(Environment, InstallsEveryPartOfAWheelAndItsScriptsRun) {
  store_.bytecode = true;
  install({stored(fancy_wheel())});
  expect_records_to_be_true(env_);
  for (const char* script : {"fancy", "fancy-app", "FancyGui", "fancy-script"}) {
    const ProcessResult result = run({script});
    EXPECT_EQ(result.out, "fancy " + (site() / "fancy/__init__.py").string() + "\n") << script << result.err;
  }
  EXPECT_EQ(run({"fancy-shell"}).out, "shell\n");
  EXPECT_EQ(read_file(env_ / "share/fancy/readme.txt"), "read me\n");
  EXPECT_EQ(read_file(env_ / "include/site" / ("python" + python_.python_version()) / "fancy-pkg/fancy.h"),
            "#define FANCY 1\n");
  const ProcessResult imports = run({"python", "-c", "import fancy_pure, fancy_plat, sys; print(sys.prefix)"});
  EXPECT_EQ(imports.out, env_.string() + "\n") << imports.err;
  EXPECT_EQ(read_file(site() / "Fancy_Pkg-1.0.dist-info/INSTALLER"), "dae\n");
  EXPECT_FALSE(exists(site() / "Fancy_Pkg-1.0.dist-info/direct_url.json"));
  EXPECT_NE(file_info(site() / "fancy/tool.sh")->mode & 0111u, 0u);
  EXPECT_EQ(*read_link(env_ / "lib64"), "lib");
}

TEST_F(Environment, IsTheSameAsWhatPipMakesOfTheWheel) {
  ProcessSpec venv;
  const Path other = dir_.path() / "by-pip";
  venv.argv = {python_.executable.string(), "-m", "venv", "--without-pip", other.string()};
  const std::string wheel_bytes = fancy_wheel().bytes();
  const Path wheel = dir_.path() / "Fancy_Pkg-1.0-py3-none-any.whl";
  write_file_atomic(wheel, wheel_bytes);
  ProcessSpec pip;
  pip.argv = {python_.executable.string(), "-m", "pip", "--python", (other / "bin/python").string(), "install",
              "--no-index", "--no-deps", "--quiet", "--disable-pip-version-check",
              // By its name: headers stand under what is asked for, and locks ask for normalised names.
              "--find-links", wheel.parent_path().string(), "fancy-pkg"};
  if (runner_->run(venv).exit_code != 0 || runner_->run(pip).exit_code != 0) GTEST_SKIP() << "no venv or no pip here";
  store_.bytecode = true;
  install({stored(fancy_wheel())});

  const std::set<std::string> differ{"INSTALLER", "REQUESTED", "direct_url.json"};
  const auto installed = [&](const Path& env) {
    std::map<std::string, std::string> out;
    for (const WalkEntry& entry : walk_tree(env)) {
      const std::string name = entry.path.filename().string();
      const bool is_scaffold = entry.relative.find('/') == std::string::npos || name.starts_with("activate") ||
                               name.starts_with("Activate") || is_interpreter_name(name);
      if (!entry.info.is_file() || is_scaffold || differ.contains(name)) continue;
      std::string what = (entry.info.mode & 0111u) != 0 ? "x " : "- ";
      // Launchers and RECORD hold our own words; bytecode differs by the way it is validated.
      const bool own_words = entry.relative.starts_with("bin/") || name == "RECORD" || name.ends_with(".pyc");
      out[entry.relative] = what + (own_words ? "" : read_file(entry.path));
    }
    return out;
  };
  EXPECT_EQ(installed(env_), installed(other));

  const auto rows = [&](const Path& env) {
    const Path info = env / ("lib/python" + python_.python_version()) / "site-packages/Fancy_Pkg-1.0.dist-info";
    std::map<std::string, std::string> out;
    for (const RecordEntry& entry : parse_record(read_file(info / "RECORD"), "RECORD")) {
      if (entry.path.ends_with(".pyc")) continue;  // made here: removed with its module, and not listed by us
      const bool own_words = entry.path.find("/bin/") != std::string::npos;
      // pip lists bytecode, which anybody may make anew; we remove it by its module.
      const std::string name = Path(entry.path).filename().string();
      if (!differ.contains(name) && !name.ends_with(".pyc")) out[entry.path] = own_words ? "" : entry.hash;
    }
    return out;
  };
  EXPECT_EQ(rows(env_), rows(other));
}

TEST_F(Environment, NothingToDoIsSeenFromTheStateFileAlone) {
  const std::vector<WheelToInstall> wanted{stored(fancy_wheel()), stored(WheelBuilder("b", "1.0").file("b.py", ""))};
  const InstallPlan first = install(wanted);
  EXPECT_TRUE(first.make_environment);
  EXPECT_EQ(first.add.size(), 2u);
  remove_all(store_.unpacked);
  remove_all(dir_.path() / "blobs");
  const InstallPlan again = plan_install(env_, python_, wanted);
  EXPECT_TRUE(again.empty());
  EXPECT_EQ(again.keep, (std::vector<std::string>{"b", "fancy-pkg"}));
}

TEST_F(Environment, AnUpgradeLeavesNothingOfTheOldVersion) {
  WheelBuilder old("a", "1.0"), current("a", "2.0");
  old.file("a/__init__.py", "V = 1\n")
      .file("a/only_old/x.py", "")
      .file("a/only_old/.py", "")
      .entry_points("[console_scripts]\nold-a = a:x\n");
  current.file("a/__init__.py", "V = 2\n").file("a/fresh.py", "");
  install({stored(old), stored(WheelBuilder("b", "1.0").file("b.py", ""))});
  // Bytecode of an interpreter that had the directory to itself.
  make_dirs(site() / "a/only_old/__pycache__");
  write_file_atomic(site() / "a/only_old/__pycache__/py.cpython-399.pyc", "");
  write_file_atomic(site() / "a/only_old/__pycache__/x.cpython-399.pyc", "");
  const InstallPlan plan = install({stored(current)});
  EXPECT_EQ(plan.remove, (std::vector<std::pair<std::string, std::string>>{{"a", "1.0"}, {"b", "1.0"}}));
  EXPECT_FALSE(exists(site() / "a/only_old"));
  EXPECT_FALSE(exists(env_ / "bin/old-a"));
  EXPECT_FALSE(exists(site() / "b.py"));
  EXPECT_FALSE(exists(site() / "a-1.0.dist-info"));
  expect_records_to_be_true(env_);

  const Path fresh = dir_.path() / "fresh";
  install_into(fresh, {stored(current)});
  std::map<std::string, std::string> upgraded = contents(env_), made = contents(fresh);
  for (auto* tree : {&upgraded, &made}) {
    for (const char* name :
         {"dae-env.json", "pyvenv.cfg", "bin/activate", "bin/activate.fish", "bin/activate.csh", "bin/Activate.ps1"})
      tree->erase(name);
  }
  EXPECT_EQ(upgraded, made);
}

TEST_F(Environment, WhatOthersPutThereStays) {
  WheelBuilder a("a", "1.0");
  a.file("shared_dir/a.py", "");
  install({stored(a)});
  write_file_atomic(site() / "shared_dir/mine.py", "mine");
  write_file_atomic(env_ / "notes.txt", "notes");
  install({});
  EXPECT_EQ(read_file(site() / "shared_dir/mine.py"), "mine");
  EXPECT_EQ(read_file(env_ / "notes.txt"), "notes");
  EXPECT_FALSE(exists(site() / "shared_dir/a.py"));
}

TEST_F(Environment, AFileOfTheUsersStaysHoweverOftenItIsTried) {
  install({stored(WheelBuilder("first", "1.0").file("shared/a.py", "A = 1\n").file("shared/old.py", ""))});
  const std::vector<WheelToInstall> wanted{
      stored(WheelBuilder("first", "1.1").file("shared/a.py", "A = 2\n").file("shared/mine.py", "theirs")),
      stored(WheelBuilder("tool", "1.0").file("tool.py", "").entry_points("[console_scripts]\ntool = tool:x\n"))};
  for (const Path& mine : {site() / "shared/mine.py", env_ / "bin/tool", site() / "tool.py"}) {
    for (const LinkMode mode : {LinkMode::automatic, LinkMode::symlink, LinkMode::automatic}) {
      store_.link_mode = mode;
      write_file_atomic(mine, "mine");
      const Error error = error_of([&] { install(wanted); });
      EXPECT_EQ(error.kind(), ErrorKind::refused);
      EXPECT_EQ(error.subject(), mine.string());
      EXPECT_EQ(read_file(mine), "mine");
      EXPECT_EQ(read_file(site() / "shared/a.py"), "A = 1\n") << "nothing has begun";
    }
    remove_file(mine);
  }
  install(wanted);
  EXPECT_EQ(read_file(site() / "shared/a.py"), "A = 2\n");
  EXPECT_FALSE(exists(site() / "shared/old.py"));
}

TEST_F(Environment, UnpackedWheelsAreSharedAndReadOnly) {
  WheelBuilder a("a", "1.0");
  a.file("a.py", "X = 1\n");
  store_.bytecode = true;
  const auto wanted = std::vector{stored(a)};
  install(wanted);
  install_into(dir_.path() / "second", wanted);
  const Path second = dir_.path() / "second/lib" / ("python" + python_.python_version()) / "site-packages/a.py";
  EXPECT_EQ(file_info(site() / "a.py")->inode, file_info(second)->inode);
  EXPECT_EQ(file_info(second)->mode & 0777u, 0444u);
  EXPECT_TRUE(list_dir(store_.unpacked / "tmp").empty()) << "no temporary directory stays";
  // PEP 552: the second word is 1 for hash-based bytecode that is not checked.
  const std::string pyc = read_file(site() / "__pycache__" / ("a." + python_.cache_tag + ".pyc"));
  EXPECT_EQ(pyc.substr(4, 4), std::string("\1\0\0\0", 4));
  EXPECT_EQ(run({"python", "-W", "error", "-c", "import a; print(a.X, a.__cached__)"}).out,
            "1 " + (site() / "__pycache__" / ("a." + python_.cache_tag + ".pyc")).string() + "\n");
}

TEST_F(Environment, WithoutBytecodeNoneIsMade) {
  install({stored(WheelBuilder("a", "1.0").file("a.py", "X = 1\n"))});
  EXPECT_FALSE(exists(site() / "__pycache__"));
  expect_records_to_be_true(env_);
}

TEST_F(Environment, ScriptsFromAnArchiveWithoutModesAreExecutableAllTheSame) {
  install({stored(
      WheelBuilder("a", "1.0").data("scripts/one", "#!/bin/sh\necho one\n").data("scripts/two", "#!python\n"))});
  EXPECT_EQ(run({"one"}).out, "one\n");
  EXPECT_EQ(run({"two"}).exit_code, 0);
  expect_records_to_be_true(env_);
}

TEST_F(Environment, ADirectReferenceIsRecordedWithoutCredentials) {
  WheelBuilder a("a", "1.0");
  install({stored(a.file_name(), a.bytes(), "https://user:secret@host/a-1.0-py3-none-any.whl#sha256=00")});
  const std::string text = read_file(site() / "a-1.0.dist-info/direct_url.json");
  const Value value = parse_json(text, "direct_url.json").root;
  EXPECT_EQ(value.get_string("url"), "https://host/a-1.0-py3-none-any.whl");
  EXPECT_EQ(value.at("archive_info").at("hashes").get_string("sha256"), Digest::of(a.bytes()).hex());
  expect_records_to_be_true(env_);
}

TEST_F(Environment, AFileOfTwoWheelsWithEqualContentsIsSharedUntilTheLastGoes) {
  const auto a = stored(WheelBuilder("a", "1.0").file("tests/__init__.py", "")),
             b = stored(WheelBuilder("b", "1.0").file("tests/__init__.py", ""));
  install({a, b});
  EXPECT_TRUE(events_.warnings.empty());
  install({b});
  EXPECT_TRUE(exists(site() / "tests/__init__.py"));
  install({});
  EXPECT_FALSE(exists(site() / "tests"));
}

TEST_F(Environment, AFileOfTwoWheelsWithDifferentContentsIsNamedAndOneOfThemStays) {
  const auto a = stored(WheelBuilder("a", "1.0").file("clash.py", "A\n")),
             b = stored(WheelBuilder("b", "1.0").file("clash.py", "B\n"));
  const std::string said = "`a` and `b` both install `lib/python" + python_.python_version() +
                           "/site-packages/clash.py` with different contents; that of `b` stays";
  install({a, b});
  EXPECT_EQ(events_.warnings, std::vector{said});
  EXPECT_EQ(read_file(site() / "clash.py"), "B\n");
  install({a});
  EXPECT_EQ(read_file(site() / "clash.py"), "A\n") << "given back to the one that remains";
  install({b});
  install({a, b});
  EXPECT_EQ(read_file(site() / "clash.py"), "B\n") << "whoever came first";
}

TEST_F(Environment, WhatAUserMadeOfAFileOfTwoWheelsStaysWithEither) {
  store_.link_mode = LinkMode::copy;
  const auto a = stored(WheelBuilder("a", "1.0").file("both.py", "X = 1\n"));
  const auto b = stored(WheelBuilder("b", "1.0").file("both.py", "X = 1\n"));
  install({a, b});
  write_file_atomic(site() / "both.py", "X = 2\n");
  install({a});
  EXPECT_EQ(read_file(site() / "both.py"), "X = 2\n");
}

TEST_F(Environment, LinksIntoAStoreOfFormerTimesAreRemovedToo) {
  store_.link_mode = LinkMode::symlink;
  install({stored(WheelBuilder("a", "1.0").file("a/x.py", "").file("a.py", ""))});
  const Path former = store_.unpacked;
  store_.unpacked = dir_.path() / "new";
  install({stored(WheelBuilder("b", "1.0").file("b.py", ""))});
  EXPECT_EQ(list_dir(site()), (std::vector<std::string>{"b-1.0.dist-info", "b.py"}));
  for (const std::string& name : list_dir(former)) {
    EXPECT_TRUE(name.size() < 64 || exists(former / name / "site/a-1.0.dist-info/RECORD"));
  }
}

TEST_F(Environment, AFileOfNobodyInTheWayIsRefused) {
  install({});
  write_file_atomic(site() / "a.py", "mine");
  const auto a = stored(WheelBuilder("a", "1.0").file("a.py", "theirs"));
  const Error error = error_of([&] { install({a}); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_EQ(error.subject(), (site() / "a.py").string());
  EXPECT_EQ(read_file(site() / "a.py"), "mine");
  remove_file(site() / "a.py");
  install({a});
  EXPECT_EQ(read_file(site() / "a.py"), "theirs");
  expect_records_to_be_true(env_);
}

TEST_F(Environment, AnotherInterpreterMeansAnotherEnvironment) {
  const auto wanted = std::vector{stored(WheelBuilder("a", "1.0").file("a.py", ""))};
  install(wanted);
  write_file_atomic(site() / "left.py", "");
  Interpreter other = python_;
  other.cache_tag = "cpython-399";
  other.version = "3.99.0";
  other.site_packages = "lib/python3.99/site-packages";
  const InstallPlan plan = plan_install(env_, other, wanted);
  EXPECT_TRUE(plan.make_environment);
  EXPECT_EQ(plan.add.size(), 1u);
  apply_install(plan, env_, other, *blobs_, store_, events_);
  EXPECT_FALSE(exists(site()));
  EXPECT_TRUE(exists(env_ / "lib/python3.99/site-packages/a.py"));
  EXPECT_TRUE(plan_install(env_, other, wanted).empty());
}

TEST_F(Environment, APatchReleaseOfTheInterpreterKeepsThePackages) {
  const auto wanted = std::vector{stored(WheelBuilder("a", "1.0").file("a.py", ""))};
  install(wanted);
  Interpreter other = python_;
  other.version += "1";
  const InstallPlan plan = plan_install(env_, other, wanted);
  EXPECT_TRUE(plan.make_environment);
  EXPECT_EQ(plan.keep, std::vector<std::string>{"a"});
  apply_install(plan, env_, other, *blobs_, store_, events_);
  EXPECT_TRUE(plan_install(env_, other, wanted).empty());
  EXPECT_NE(read_file(env_ / "pyvenv.cfg").find("version = " + other.version), std::string::npos);
}

TEST_F(Environment, OneThatWasMovedIsMadeAnew) {
  const auto wanted = std::vector{stored(fancy_wheel())};
  install(wanted);
  rename_path(env_, dir_.path() / "moved");
  env_ = dir_.path() / "moved";
  EXPECT_TRUE(plan_install(env_, python_, wanted).make_environment);
  install(wanted);
  EXPECT_EQ(run({"fancy-shell"}).out, "shell\n");
  EXPECT_NE(read_file(env_ / "bin/fancy").find(env_.string()), std::string::npos);
}

TEST_F(Environment, ALostInterpreterLinkIsPutBack) {
  const auto wanted = std::vector{stored(fancy_wheel())};
  install(wanted);
  remove_file(env_ / "bin/python");
  const InstallPlan plan = install(wanted);
  EXPECT_TRUE(plan.make_environment);
  EXPECT_TRUE(plan.add.empty());
  EXPECT_NE(run({"fancy"}).out, "");
}

TEST_F(Environment, AFolderWithSomethingElseInItIsLeftAlone) {
  make_dirs(env_);
  write_file_atomic(env_ / "thesis.txt", "years of work");
  EXPECT_EQ(error_of([&] { install({}); }).kind(), ErrorKind::refused);
  EXPECT_EQ(read_file(env_ / "thesis.txt"), "years of work");
}

TEST_F(Environment, AVenvThatWasThereBeforeIsUsedAndItsPackagesStay) {
  make_dirs(site() / "theirs");
  make_dirs(env_ / "bin");
  write_file_atomic(env_ / "pyvenv.cfg", "home = /usr/bin\n");
  write_file_atomic(site() / "theirs/__init__.py", "");
  const auto a = stored(WheelBuilder("a", "1.0").file("a.py", ""));
  install({a});
  EXPECT_TRUE(plan_install(env_, python_, {a}).empty());
  install({});
  EXPECT_FALSE(exists(site() / "a.py"));
  EXPECT_TRUE(exists(site() / "theirs/__init__.py"));
  EXPECT_EQ(read_file(env_ / "pyvenv.cfg"), "home = /usr/bin\n");
}

TEST_F(Environment, ABrokenStateFileIsNamed) {
  install({});
  write_file_atomic(env_ / "dae-env.json", "{");
  const Error error = error_of([&] { plan_install(env_, python_, {}); });
  EXPECT_EQ(error.kind(), ErrorKind::bad_input);
  EXPECT_EQ(error.subject(), (env_ / "dae-env.json").string());
}

TEST_F(Environment, ARecordThatPointsOutsideRemovesNothingThere) {
  install({stored(WheelBuilder("a", "1.0").file("a.py", ""))});
  const Path victim = dir_.path() / "victim";
  write_file_atomic(victim, "precious");
  const Path record = site() / "a-1.0.dist-info/RECORD";
  write_file_atomic(record, read_file(record) + "../../../../victim,,\n" + victim.string() + ",,\n");
  install({});
  EXPECT_EQ(read_file(victim), "precious");
  EXPECT_FALSE(exists(site() / "a.py"));
}

TEST_F(Environment, APathWithBlanksAndQuotesWorksToo) {
  env_ = dir_.path() / ("my env's \"place\" " + std::string(120, 'x'));
  install({stored(fancy_wheel())});
  EXPECT_EQ(run({"fancy"}).out, "fancy " + (site() / "fancy/__init__.py").string() + "\n");
  const ProcessResult shell = run({"sh", "-c",
                                   ". \"$VIRTUAL_ENV/bin/activate\" && command -v fancy && deactivate && "
                                   "test -z \"${VIRTUAL_ENV:-}\""});
  EXPECT_EQ(shell.exit_code, 0) << shell.err;
  EXPECT_EQ(shell.out, (env_ / "bin/fancy").string() + "\n");
}

}  // namespace
}  // namespace dae::resolver
