// Verifying and mending: something is broken for real, is found under its name, and is whole again afterwards. In every
// link mode, because a file may be the store's own.
#include <algorithm>

#include "environment_fixture.h"
#include "resolver/install/env_state.h"
#include "resolver/install/verify.h"

namespace dae::resolver {
namespace {

using dae::testing::error_of;
using testing::fancy_wheel;
using testing::WheelBuilder;
using Kind = VerifyFinding::Kind;

class Verify : public testing::EnvironmentFixture, public ::testing::WithParamInterface<LinkMode> {
 protected:
  void SetUp() override {
    store_.link_mode = GetParam();
    wanted_ = {stored(fancy_wheel()), stored(WheelBuilder("other", "1.0").file("other/__init__.py", "O = 1\n"))};
    install(wanted_);
    const VerifyReport report = verify();
    ASSERT_TRUE(report.sound()) << list(report)[0];
    before_ = contents(env_);
  }

  VerifyReport verify(bool hashes = true) { return verify_environment(env_, store_, events_, {hashes}); }
  static std::vector<std::string> list(const VerifyReport& report) {
    std::vector<std::string> out;
    for (const VerifyFinding& finding : report.findings) {
      out.push_back(std::string(finding_name(finding.kind)) + " " + finding.distribution + " " + finding.path);
    }
    return out;
  }
  std::vector<std::string> found() { return list(verify()); }
  std::string in_site(const std::string& name) const {
    return "lib/python" + python_.python_version() + "/site-packages/" + name;
  }

  void repair() {
    const VerifyReport report = verify();
    std::vector<WheelToInstall> wheels = wanted_;
    std::erase_if(wheels, [&](const WheelToInstall& wheel) { return !report.damaged.contains(wheel.name); });
    remove_damage(report, store_);
    apply_install(repair_plan(report, wheels), env_, python_, *blobs_, store_, events_);
  }
  void expect_mended() {
    repair();
    EXPECT_EQ(found(), std::vector<std::string>());
    EXPECT_EQ(contents(env_), before_);
    EXPECT_EQ(run({(env_ / "bin/fancy").string()}).exit_code, 0);
    // The store is whole, too: what is installed from it elsewhere is right.
    const Path second = dir_.path() / "second";
    install_into(second, wanted_);
    EXPECT_TRUE(verify_environment(second, store_, events_).sound());
  }
  void edit(const Path& path, const std::string& text) {
    set_mode(path, 0644);
    append_file(path, text);
  }

  std::vector<WheelToInstall> wanted_;
  std::map<std::string, std::string> before_;
};

INSTANTIATE_TEST_SUITE_P(LinkModes, Verify, ::testing::Values(LinkMode::hardlink, LinkMode::copy, LinkMode::symlink),
                         [](const auto& one) { return std::string(link_mode_name(one.param)); });

TEST_P(Verify, AFileEditedInPlaceIsFoundAndMendedEvenInTheStore) {
  edit(site() / "fancy/sub/deep.py", "Y = 2\n");
  EXPECT_EQ(found(), std::vector{"changed fancy-pkg " + in_site("fancy/sub/deep.py")});
  const VerifyReport report = verify();
  EXPECT_EQ(report.damaged, std::set<std::string>{"fancy-pkg"});
  EXPECT_EQ(report.damaged_entries.empty(), GetParam() == LinkMode::copy);
  expect_mended();
}

TEST_P(Verify, AnEditThatKeepsTheSizeIsFoundByItsHash) {
  const Path path = site() / "other/__init__.py";
  const Path real = std::filesystem::canonical(path);
  set_mode(real, 0644);
  truncate_file(real);
  append_file(real, "O = 2\n");
  EXPECT_EQ(found(), std::vector{"changed other " + in_site("other/__init__.py")});
  EXPECT_TRUE(verify(false).sound()) << "sizes alone do not tell";
  expect_mended();
}

TEST_P(Verify, AMissingFileIsFoundAndMended) {
  const Path path = std::filesystem::canonical(site() / "fancy/sub") / "deep.py";
  set_mode(path.parent_path(), 0755);
  remove_file(path);
  EXPECT_EQ(found(), std::vector{"missing fancy-pkg " + in_site("fancy/sub/deep.py")});
  expect_mended();
}

TEST_P(Verify, AFileThatNoRecordListsIsFound) {
  const Path dir = std::filesystem::canonical(site() / "fancy");
  set_mode(dir, 0755);
  write_file_atomic(dir / "mine.py", "", 0644);
  write_file_atomic(site() / "loose.py", "", 0644);
  make_dirs(site() / "whole/tree");
  write_file_atomic(site() / "whole/tree/a.py", "", 0644);
  // What Python compiles by itself is nobody's business.
  make_dirs(site() / "__pycache__");
  write_file_atomic(site() / "__pycache__/loose.cpython-399.pyc", "", 0644);
  EXPECT_EQ(found(), (std::vector{"unlisted  " + in_site("fancy/mine.py"), "unlisted  " + in_site("loose.py"),
                                  "unlisted  " + in_site("whole")}));
  const VerifyReport report = verify();
  EXPECT_EQ(report.damaged.empty(), GetParam() != LinkMode::symlink) << "in the store it is everybody's";
  if (GetParam() != LinkMode::symlink) return;
  repair();
  EXPECT_FALSE(exists(site() / "fancy/mine.py"));
}

TEST_P(Verify, AScriptThatCannotRunIsFoundAndMended) {
  const Path script = env_ / "bin/fancy";
  const std::string text = read_file(script);
  set_mode(script, 0644);
  EXPECT_EQ(found(), std::vector<std::string>{"not-executable fancy-pkg bin/fancy"});
  const std::string old = "#!/gone/bin/python\n" + text.substr(text.find('\n') + 1);
  write_file_atomic(script, old, 0755);
  EXPECT_EQ(found(), (std::vector<std::string>{"changed fancy-pkg bin/fancy", "broken-script fancy-pkg bin/fancy"}));
  EXPECT_EQ(verify().findings[1].detail, "`/gone/bin/python` is not there");
  expect_mended();
}

TEST_P(Verify, ARecordThatIsLostOrBrokenIsFoundAndMended) {
  const Path record = std::filesystem::canonical(site() / "Fancy_Pkg-1.0.dist-info") / "RECORD";
  set_mode(record.parent_path(), 0755);
  const std::string row = "bad-record fancy-pkg " + in_site("Fancy_Pkg-1.0.dist-info/RECORD");
  write_file_atomic(record, "a,b,c,\"d\n", 0644);
  auto all = found();
  EXPECT_EQ(std::count(all.begin(), all.end(), row), 1);
  expect_mended();
  const Path again = std::filesystem::canonical(site() / "Fancy_Pkg-1.0.dist-info") / "RECORD";
  set_mode(again.parent_path(), 0755);
  remove_file(again);
  all = found();
  EXPECT_EQ(std::count(all.begin(), all.end(), row), 1);
  expect_mended();
}

TEST_P(Verify, APackageThatIsGoneAsAWholeIsMended) {
  remove_all(site() / "fancy");
  remove_all(site() / "Fancy_Pkg-1.0.dist-info");
  EXPECT_TRUE(verify().damaged.contains("fancy-pkg"));
  expect_mended();
  remove_all(env_ / "lib");
  expect_mended();
}

TEST_P(Verify, TheEnvironmentsOwnFilesAreMended) {
  remove_file(env_ / "pyvenv.cfg");
  symlink_atomic("/gone/python", env_ / "bin/python");
  EXPECT_EQ(found(), (std::vector<std::string>{"broken-link  bin/python", "missing  pyvenv.cfg"}));
  EXPECT_TRUE(verify().damaged_environment);
  expect_mended();
}

TEST_P(Verify, WhatOthersInstalledIsToldApart) {
  make_dirs(site() / "alien-1.0.dist-info");
  write_file_atomic(site() / "alien.py", "A = 1\n", 0644);
  write_file_atomic(site() / "alien-1.0.dist-info/RECORD",
                    "alien.py,sha256=AAAA,6\nalien-1.0.dist-info/RECORD,,\n__pycache__/alien.cpython-399.pyc,,\n",
                    0644);
  make_dirs(site() / "bare-1.0.dist-info");
  const VerifyReport report = verify();
  EXPECT_EQ(list(report), std::vector{"changed alien " + in_site("alien.py")});
  EXPECT_TRUE(report.findings[0].foreign);
  EXPECT_TRUE(report.damaged.empty());
  EXPECT_EQ(report.unchecked, std::vector<std::string>{"bare-1.0.dist-info"});
  EXPECT_EQ(report.distributions, 2u);
  EXPECT_EQ(report.foreign, 2u);
}

TEST_P(Verify, AFileOfTwoPackagesIsRightWhenItIsEithers) {
  wanted_ = {stored(WheelBuilder("one", "1.0").file("shared/x.py", "X = 1\n")),
             stored(WheelBuilder("two", "1.0").file("shared/x.py", "X = 22\n"))};
  install(wanted_);
  EXPECT_EQ(found(), std::vector<std::string>());
  edit(std::filesystem::canonical(site() / "shared/x.py"), "Y = 3\n");
  EXPECT_EQ(found().size(), 2u);
  repair();
  EXPECT_EQ(found(), std::vector<std::string>());
}

TEST_P(Verify, AStoreThatIsGoneIsMadeAnewForLinks) {
  remove_all(store_.unpacked);
  if (GetParam() == LinkMode::symlink) {
    EXPECT_FALSE(found().empty());
    EXPECT_TRUE(std::ranges::any_of(verify().findings, [](const auto& f) { return f.kind == Kind::broken_link; }));
  } else {
    EXPECT_EQ(found(), std::vector<std::string>());
  }
  expect_mended();
}

TEST_P(Verify, OfNothingThereIsNothingToVerify) {
  EXPECT_EQ(error_of([&] { verify_environment(dir_.path() / "absent", store_, events_); }).kind(),
            ErrorKind::not_found);
}

}  // namespace
}  // namespace dae::resolver
