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

TEST(Target, RefusesWhatCannotBeResolvedFor) {
  for (const auto& [python, platform] :
       std::vector<std::pair<std::string, std::string>>{{"3.11", "macosx_11_0_arm64"},
                                                        {"3.11", "win_amd64"},
                                                        {"3.11", "manylinux2014_x86_64"},
                                                        {"3.11", "manylinux_2_x86_64"},
                                                        {"3.11", "manylinux_3_1_x86_64"},
                                                        {"3.11", "manylinux_2_9999_x86_64"},
                                                        {"3.11", "linux_vax"},
                                                        {"3.11", ""},
                                                        {"2.7", "linux_x86_64"},
                                                        {"3", "linux_x86_64"},
                                                        {"3.7", "linux_x86_64"},
                                                        {"3.11.2", "linux_x86_64"}}) {
    EXPECT_THROW(validate_target(target(python, platform)), Error) << python << " " << platform;
  }
  try {
    validate_target(target("3.11", "manylinux2014_x86_64"));
  } catch (const Error& error) {
    EXPECT_EQ(error.hint(), "write it as manylinux_2_17_<arch>");
  }
  Target other = target("3.11", "linux_x86_64");
  other.implementation = "pypy";
  EXPECT_THROW(validate_target(other), Error);
}

TEST(Target, AnswersTheMarkerVariables) {
  const MarkerEnvironment markers = target("3.11", "musllinux_1_2_aarch64").markers();
  EXPECT_EQ(markers.get("python_full_version"), "3.11.0");
  EXPECT_EQ(markers.get("platform_machine"), "aarch64");
  EXPECT_EQ(markers.get("platform_python_implementation"), "CPython");
  EXPECT_EQ(markers.get("nothing"), "");
  EXPECT_EQ(target("3.13", "linux_x86_64", true).label(), "python 3.13t on linux_x86_64");
}

}  // namespace
}  // namespace dae::resolver
