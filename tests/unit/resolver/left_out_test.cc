// Why versions are no candidates, in the words of an explanation.
#include <gtest/gtest.h>

#include "base/clock.h"
#include "resolver/source/left_out.h"

namespace dae::resolver {
namespace {

std::vector<std::string> left_out(const FileRules& rules) {
  ProjectPage page;
  page.name = "a";
  const auto add = [&](const char* name, const char* python, const char* uploaded) {
    IndexFile& file = page.files.emplace_back();
    file.name = name;
    file.url = std::string("http://index/") + name;
    file.requires_python = python;
    file.upload_time = uploaded;
  };
  add("a-1.0-py3-none-any.whl", "", "2026-01-01T00:00:00Z");
  add("a-2.0-py3-none-any.whl", ">=3.12", "2026-01-02T00:00:00Z");
  add("a-2.1-py3-none-any.whl", ">=3.11.9", "2026-01-02T00:00:00Z");
  add("a-3.0-cp311-cp311-win_amd64.whl", "", "2026-01-03T00:00:00Z");
  add("a-4.0.tar.gz", "", "2026-01-04T00:00:00Z");
  const auto packed = PackedPage::make(page, "http://index/");
  TargetFit fit(declared_target("3.11", "manylinux_2_36_x86_64"));
  std::vector<std::string> out;
  for (const auto& version : left_out_of(*packed, fit, rules)) {
    out.push_back(version.version.text() + " " + version.reason + (version.uploaded_ms ? " (time)" : ""));
  }
  return out;
}

using Lines = std::vector<std::string>;

TEST(LeftOut, NamesThePythonAndThePlatform) {
  EXPECT_EQ(left_out({}), (Lines{"3.0 has no wheel for python 3.11 on manylinux_2_36_x86_64 and no sdist",
                                 "2.1 needs python >=3.11.9, the target has 3.11.0",
                                 "2.0 needs python >=3.12, the target has 3.11"}));
}

TEST(LeftOut, NamesTheCutoffAndWhenTheFileCame) {
  FileRules rules;
  rules.cutoff_ms = parse_utc("2025-12-31T00:00:00Z");
  const Lines lines = left_out(rules);
  EXPECT_EQ(lines.front(), "4.0 is newer than the cutoff 2025-12-31T00:00:00Z (time)");
  EXPECT_EQ(lines.back(), "1.0 is newer than the cutoff 2025-12-31T00:00:00Z (time)");
}

TEST(LeftOut, NamesTheRuleThatForbidsItsFiles) {
  FileRules rules;
  rules.sdists = false;
  EXPECT_EQ(left_out(rules).front(), "4.0 has no wheel, and sdists are not allowed");
}

}  // namespace
}  // namespace dae::resolver
