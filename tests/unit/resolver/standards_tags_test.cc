#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "resolver/standards/tags.h"

namespace dae::resolver {
namespace {

Target target(std::string python, std::string platform, bool free_threaded = false) {
  Target out;
  out.python_version = std::move(python);
  out.platform = std::move(platform);
  out.free_threaded = free_threaded;
  return out;
}

int rank(const Target& declared, const std::string& tags) {
  return TagSet(declared).rank(*parse_wheel_name("a-1-" + tags + ".whl"));
}

TEST(Tags, PreferTheMostSpecificWheel) {
  const Target declared = target("3.11", "manylinux_2_36_x86_64");
  const char* const best_first[] = {"cp311-cp311-linux_x86_64",
                                    "cp311-cp311-manylinux_2_36_x86_64",
                                    "cp311-cp311-manylinux_2_17_x86_64",
                                    "cp311-cp311-manylinux2014_x86_64",
                                    "cp311-cp311-manylinux2010_x86_64",
                                    "cp311-cp311-manylinux1_x86_64",
                                    "cp311-abi3-manylinux_2_5_x86_64",
                                    "cp311-none-linux_x86_64",
                                    "cp310-abi3-manylinux_2_28_x86_64",
                                    "cp32-abi3-linux_x86_64",
                                    "py311-none-linux_x86_64",
                                    "py3-none-manylinux2014_x86_64",
                                    "py310-none-linux_x86_64",
                                    "cp311-none-any",
                                    "py311-none-any",
                                    "py3-none-any",
                                    "py310-none-any",
                                    "py30-none-any"};
  int previous = -1;
  for (const char* tag : best_first) {
    const int found = rank(declared, tag);
    EXPECT_GT(found, previous) << tag;
    previous = found;
  }
  EXPECT_EQ(rank(declared, "cp311-cp311-linux_x86_64"), 0);
}

TEST(Tags, RefuseWheelsThatDoNotRun) {
  const Target declared = target("3.11", "manylinux_2_28_x86_64");
  for (const char* tag :
       {"cp311-cp311-manylinux_2_29_x86_64", "cp312-abi3-manylinux_2_5_x86_64", "cp310-cp310-linux_x86_64",
        "cp311-cp311-manylinux_2_17_aarch64", "cp311-cp311-musllinux_1_1_x86_64", "py312-none-any", "py2-none-any",
        "cp311-cp311t-linux_x86_64", "cp311-cp311-manylinux_2_4_x86_64", "cp311-cp311-win_amd64"}) {
    EXPECT_EQ(rank(declared, tag), -1) << tag;
  }
  EXPECT_GE(rank(declared, "py2.py3-none-any"), 0);
  EXPECT_GE(rank(declared, "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"), 0);
}

TEST(Tags, FollowTheCLibrary) {
  const Target musl = target("3.12", "musllinux_1_2_aarch64");
  EXPECT_GE(rank(musl, "cp312-cp312-musllinux_1_0_aarch64"), 0);
  EXPECT_EQ(rank(musl, "cp312-cp312-musllinux_1_3_aarch64"), -1);
  EXPECT_EQ(rank(musl, "cp312-cp312-manylinux2014_aarch64"), -1);
  const Target arm = target("3.12", "manylinux_2_36_aarch64");
  EXPECT_GE(rank(arm, "cp312-cp312-manylinux2014_aarch64"), 0);
  EXPECT_EQ(rank(arm, "cp312-cp312-manylinux2010_aarch64"), -1);  // older than the platform
  EXPECT_EQ(rank(target("3.12", "linux_x86_64"), "cp312-cp312-manylinux2014_x86_64"), -1);
}

TEST(Tags, FreeThreadedInterpretersTakeTheirOwnAbi) {
  const Target declared = target("3.13", "manylinux_2_36_x86_64", true);
  EXPECT_GE(rank(declared, "cp313-cp313t-linux_x86_64"), 0);
  EXPECT_GE(rank(declared, "cp313-none-any"), 0);
  EXPECT_EQ(rank(declared, "cp313-cp313-linux_x86_64"), -1);
  EXPECT_EQ(rank(declared, "cp313-abi3-linux_x86_64"), -1);
}

TEST(Tags, RankOneTagAsTheListHasIt) {
  for (const Target& declared : {target("3.11", "manylinux_2_36_x86_64"), target("3.13", "win_amd64", true),
                                 target("3.12", "macosx_14_0_arm64"), declared_target("pypy3.11", "linux_x86_64")}) {
    const TagSet set(declared);
    const std::vector<std::string> tags = set.tags();
    for (size_t i = 0; i < tags.size(); ++i) EXPECT_EQ(set.rank(tags[i]), static_cast<int>(i)) << tags[i];
  }
  const TagSet set(target("3.11", "linux_x86_64"));
  for (const char* tag :
       {"", "any", "py3", "py3-none", "cp311-cp311-any", "py3-none-", "-none-any", "cp310-none-any"}) {
    EXPECT_EQ(set.rank(std::string_view(tag)), -1) << tag;
  }
}

TEST(Tags, FollowTheVersionsOfMacos) {
  const Target intel = target("3.12", "macosx_12_3_x86_64"), arm = target("3.12", "macosx_26_0_arm64"),
               old = target("3.9", "macosx_10_15_x86_64");
  const std::tuple<const Target*, const char*, bool> table[] = {
      {&intel, "cp312-cp312-macosx_12_0_x86_64", true},  {&intel, "cp312-cp312-macosx_12_0_universal2", true},
      {&intel, "cp312-cp312-macosx_10_9_intel", true},   {&intel, "cp312-cp312-macosx_10_9_x86_64", true},
      {&intel, "cp312-cp312-macosx_12_0_arm64", false},  {&intel, "cp312-cp312-macosx_13_0_x86_64", false},
      {&intel, "cp312-cp312-macosx_12_3_x86_64", false}, {&arm, "cp312-cp312-macosx_11_0_arm64", true},
      {&arm, "cp312-abi3-macosx_15_0_universal2", true}, {&arm, "cp312-cp312-macosx_10_9_universal2", true},
      {&arm, "cp312-cp312-macosx_10_9_x86_64", false},   {&arm, "cp312-cp312-macosx_11_0_x86_64", false},
      {&old, "cp39-cp39-macosx_10_9_x86_64", true},      {&old, "cp39-cp39-macosx_10_15_universal2", true},
      {&old, "cp39-cp39-macosx_11_0_x86_64", false},     {&old, "cp39-cp39-macosx_10_16_x86_64", false},
      {&old, "cp39-cp39-linux_x86_64", false},
  };
  for (const auto& [declared, tag, fits] : table) {
    EXPECT_EQ(rank(*declared, tag) >= 0, fits) << declared->platform << " " << tag;
  }
  EXPECT_LT(rank(intel, "cp312-cp312-macosx_12_0_x86_64"), rank(intel, "cp312-cp312-macosx_11_0_x86_64"));
  EXPECT_LT(rank(arm, "cp312-cp312-macosx_11_0_arm64"), rank(arm, "cp312-cp312-macosx_11_0_universal2"));
}

TEST(Tags, KnowWindowsAndPypy) {
  const Target windows = target("3.13", "win_amd64");
  EXPECT_EQ(rank(windows, "cp313-cp313-win_amd64"), 0);
  EXPECT_GE(rank(windows, "cp38-abi3-win_amd64"), 0);
  EXPECT_EQ(rank(windows, "cp313-cp313-win32"), -1);
  EXPECT_EQ(rank(target("3.13", "win_arm64"), "cp313-cp313-win_amd64"), -1);
  const Target pypy = declared_target("pypy3.11", "manylinux_2_28_x86_64");
  EXPECT_EQ(rank(pypy, "pp311-pypy311_pp73-linux_x86_64"), 0);
  EXPECT_GE(rank(pypy, "pp311-pypy311_pp73-manylinux_2_17_x86_64"), 0);
  EXPECT_GE(rank(pypy, "py3-none-any"), 0);
  EXPECT_EQ(rank(pypy, "cp311-cp311-manylinux_2_17_x86_64"), -1);
  EXPECT_EQ(rank(pypy, "cp311-abi3-manylinux_2_17_x86_64"), -1);
}

TEST(Target, IsDeclaredByAShortName) {
  const Target plain = declared_target("3.11", "linux_x86_64");
  EXPECT_EQ(plain, [] {
    Target out = target("3.11", "linux_x86_64");
    out.python_full_version = "3.11.0";
    return out;
  }());
  EXPECT_EQ(declared_target("3.11.7", "linux_x86_64").python_full_version, "3.11.7");
  EXPECT_EQ(declared_target("3.14.0rc1", "linux_x86_64").python_full_version, "3.14.0rc1");
  const Target threads = declared_target("3.13t", "win_amd64");
  EXPECT_TRUE(threads.free_threaded);
  EXPECT_EQ(threads.label(), "python 3.13t on win_amd64");
  EXPECT_EQ(declared_target("pypy3.10", "linux_x86_64").label(), "pypy 3.10 on linux_x86_64");
  for (const char* python : {"", "3", "3.", "2.7", "3.7", "3.11.x", "v3.11", "1!3.11", "3.11+x", "3.12t", "pypy3.13t",
                             "3.11.1.1", "3.0100"}) {
    EXPECT_THROW(declared_target(python, "linux_x86_64"), Error) << python;
  }
}

TEST(Target, RefusesWhatCannotBeResolvedFor) {
  for (const auto& [python, platform] :
       std::vector<std::pair<std::string, std::string>>{{"3.11", "macosx_10_15_arm64"},
                                                        {"3.11", "macosx_11_0_universal2"},
                                                        {"3.11", "macosx_9_0_x86_64"},
                                                        {"3.11", "macosx_10_17_x86_64"},
                                                        {"3.11", "macosx_11_x86_64"},
                                                        {"3.11", "macosx_11_0_ppc"},
                                                        {"3.11", "win_ia64"},
                                                        {"3.11", "win64"},
                                                        {"3.11", "manylinux2014_x86_64"},
                                                        {"3.11", "manylinux_2_x86_64"},
                                                        {"3.11", "manylinux_3_1_x86_64"},
                                                        {"3.11", "manylinux_2_9999_x86_64"},
                                                        {"3.11", "manylinux_2_201_x86_64"},
                                                        {"3.11", "linux_vax"},
                                                        {"3.11", ""},
                                                        {"2.7", "linux_x86_64"},
                                                        {"3", "linux_x86_64"},
                                                        {"3.7", "linux_x86_64"},
                                                        {"3.11.2", "linux_x86_64"}}) {
    EXPECT_THROW(validate_target(target(python, platform)), Error) << python << " " << platform;
  }
  const auto hint = [](const char* platform) -> std::string {
    try {
      validate_target(target("3.11", platform));
    } catch (const Error& error) {
      return error.hint();
    }
    return "";
  };
  EXPECT_EQ(hint("manylinux2014_x86_64"), "write it as manylinux_2_17_<arch>");
  EXPECT_EQ(hint("macosx_11_0_universal2"),
            "name the machine that it is to run on: macosx_<major>_<minor>_x86_64 or _arm64");
  Target other = target("3.11", "linux_x86_64");
  other.implementation = "graalpy";
  EXPECT_THROW(validate_target(other), Error);
}

TEST(Target, AnswersTheMarkerVariables) {
  const MarkerEnvironment markers = target("3.11", "musllinux_1_2_aarch64").markers();
  EXPECT_EQ(markers.get("python_full_version"), "3.11.0");
  EXPECT_EQ(markers.get("platform_machine"), "aarch64");
  EXPECT_EQ(markers.get("platform_python_implementation"), "CPython");
  EXPECT_EQ(markers.get("nothing"), "");
  const MarkerEnvironment windows = target("3.11", "win_amd64").markers();
  EXPECT_EQ(windows.get("os_name"), "nt");
  EXPECT_EQ(windows.get("sys_platform"), "win32");
  EXPECT_EQ(windows.get("platform_system"), "Windows");
  EXPECT_EQ(windows.get("platform_machine"), "AMD64");
  EXPECT_EQ(target("3.11", "win32").markers().get("platform_machine"), "x86");
  EXPECT_EQ(target("3.11", "win_arm64").markers().get("platform_machine"), "ARM64");
  const MarkerEnvironment macos = target("3.11", "macosx_14_0_arm64").markers();
  EXPECT_EQ(macos.get("os_name"), "posix");
  EXPECT_EQ(macos.get("sys_platform"), "darwin");
  EXPECT_EQ(macos.get("platform_system"), "Darwin");
  EXPECT_EQ(macos.get("platform_machine"), "arm64");
  const MarkerEnvironment pypy = declared_target("pypy3.11", "linux_x86_64").markers();
  EXPECT_EQ(pypy.get("implementation_name"), "pypy");
  EXPECT_EQ(pypy.get("platform_python_implementation"), "PyPy");
  EXPECT_EQ(pypy.get("python_full_version"), "3.11.0");
  EXPECT_EQ(pypy.get("implementation_version"), "7.3");
  EXPECT_EQ(target("3.13", "linux_x86_64", true).label(), "python 3.13t on linux_x86_64");
}

}  // namespace
}  // namespace dae::resolver
