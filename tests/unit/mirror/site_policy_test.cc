// Why people do not get a file, or get it from another index, is said where they look for it.
#include <gtest/gtest.h>

#include "base/hash.h"
#include "fixture.h"
#include "mirror/index/page_store.h"

namespace dae::mirror {
namespace {

using testing::FakeIndex;
using testing::json_file;
using testing::json_page;
using testing::TestMirror;

constexpr const char* kJson = "application/vnd.pypi.simple.v1+json";

// `all` over `team`, which is private, and `pypi`, whose files are held back for a day after they were uploaded.
struct SitePolicy : ::testing::Test {
  void offer(const std::string& project, const std::vector<std::string>& files) {
    upstream.set_page(project, json_page(project, files), kJson);
    mirror.get("/pypi/simple/" + project + "/");
  }
  void list(const std::string& index, const std::string& project) {
    ProjectDocument document;
    resolver::IndexFile& file = document.page.files.emplace_back();
    file.name = project + "-1.0.tar.gz";
    file.sha256 = std::string(64, '5');
    file.hashes["sha256"] = file.sha256;
    Catalog catalog(mirror.config.storage / "catalog.db");
    PageStore(catalog).apply(index, {{project, document}}, mirror.clock.wall_ms(), "test");
  }
  bool has(const std::string& path, const std::string& text) {
    const HttpResponse response = mirror.get(path);
    if (response.body.find(text) != std::string::npos) return true;
    ADD_FAILURE() << "no `" << text << "` at " << path << ":\n" << response.body.substr(response.body.find("<main"));
    return false;
  }

  FakeIndex upstream;
  TestMirror mirror{upstream.simple_url(), [](MirrorConfig& config) {
                      config.indexes[0].policy.cooldown_uploaded_ms = 86'400'000;
                      testing::add_team_and_overlay(config, {"acme-*"});
                    }};
};

TEST_F(SitePolicy, AFileThatAPolicyHidesIsShownWithTheRuleAndTheEnd) {
  // The clock stands at 2023-11-14T22:13:20Z.
  offer("demo", {json_file("demo-1.0.tar.gz", std::string(64, '1'), R"(,"upload-time":"2023-01-01T00:00:00Z")"),
                 json_file("demo-2.0.tar.gz", std::string(64, '2'), R"(,"upload-time":"2023-11-14T20:00:00Z")")});
  EXPECT_TRUE(has("/ui/pypi/demo", "<b>2.0</b> <span class=\"badge warn\">hidden</span>"));
  EXPECT_TRUE(has("/ui/pypi/demo", "<code>cooldown.uploaded</code>, until <time datetime=\"2023-11-15T20:00:00Z\">"));
  EXPECT_TRUE(has("/ui/pypi/demo", "<h1>demo <span class=\"soft\">1.0</span></h1>"));
  EXPECT_TRUE(has("/ui/pypi/demo", "<dt>Hidden by policy</dt><dd>1 file</dd>"));
  mirror.clock.advance_ms(86'400'000);
  EXPECT_TRUE(has("/ui/pypi/demo", "<h1>demo <span class=\"soft\">2.0</span></h1>"));
  EXPECT_EQ(mirror.get("/ui/pypi/demo").body.find("badge warn\">hidden"), std::string::npos);
}

TEST_F(SitePolicy, AnOverlaySaysWhichMemberServesAProject) {
  offer("tool", {json_file("tool-9.0.tar.gz", std::string(64, '9'))});
  EXPECT_TRUE(
      has("/ui/all/tool",
          "href=\"../../ui/pypi/tool\">pypi</a></th><td class=\"n\">1</td><td><span class=\"badge good\">serves it"));
  EXPECT_TRUE(has("/ui/pypi/tool", "href=\"../../ui/all/tool\">all</a>"));
  list("team", "tool");
  EXPECT_TRUE(
      has("/ui/all/tool",
          "href=\"../../ui/team/tool\">team</a></th><td class=\"n\">1</td><td><span class=\"badge good\">serves it"));
  EXPECT_TRUE(
      has("/ui/all/tool", "<span class=\"badge bad\">barred</span> `tool` is a project of the private index `team`"));
  EXPECT_TRUE(
      has("/ui/pypi/tool", "<strong class=\"badge bad\">not served</strong> `tool` is a project of the private"));
  EXPECT_EQ(mirror.get("/ui/all/absent").status, 404);
}

TEST_F(SitePolicy, TheOverviewAndTheSearchKnowOverlays) {
  list("team", "tool");
  EXPECT_TRUE(has("/", "over team, pypi"));
  EXPECT_TRUE(has("/", "uploads only"));
  EXPECT_TRUE(has("/ui/search?q=too&index=all", "href=\"team/tool\">tool</a>"));
}

}  // namespace
}  // namespace dae::mirror
