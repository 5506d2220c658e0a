// Virtual indexes: whose files a name gets, and which names no upstream ever hears of.
#include <gtest/gtest.h>

#include "base/hash.h"
#include "fixture.h"
#include "mirror/index/page_store.h"
#include "sync_fixture.h"

namespace dae::mirror {
namespace {

using testing::FakeIndex;
using testing::json_file;
using testing::json_page;
using testing::make_wheel;
using testing::TestMirror;

constexpr const char* kJson = "application/vnd.pypi.simple.v1+json";

// `all` over `team`, which is private and has `tool` 1.0, and `pypi`, whose upstream has `tool` 9.0 and `public` 1.0.
struct Overlay : ::testing::Test {
  Overlay() {
    set_upstream("tool", "9.0");
    set_upstream("public", "1.0");
    list("team", "tool", "1.0");
  }
  void set_upstream(const std::string& project, const std::string& version) {
    const std::string name = project + "-" + version + "-py3-none-any.whl", wheel = make_wheel(project, version);
    upstream.set_file(name, wheel);
    upstream.set_page(project, json_page(project, {json_file(name, Digest::of(wheel).hex())}), kJson);
  }
  void list(const std::string& index, const std::string& project, const std::string& version) {
    ProjectDocument document;
    resolver::IndexFile& file = document.page.files.emplace_back();
    file.name = project + "-" + version + "-py3-none-any.whl";
    file.sha256 = Digest::of(make_wheel(project, version)).hex();
    file.hashes["sha256"] = file.sha256;
    Catalog catalog(mirror.config.storage / "catalog.db");
    PageStore(catalog).apply(index, {{project, document}}, mirror.clock.wall_ms(), "test");
  }
  HttpResponse page(const std::string& index, const std::string& project) {
    return mirror.get("/" + index + "/simple/" + project + "/", {{"Accept", kJson}});
  }
  std::vector<std::string> files(const std::string& index, const std::string& project) {
    const HttpResponse response = page(index, project);
    if (response.status != 200) return {std::to_string(response.status)};
    std::vector<std::string> names;
    const Document document = parse_json(response.body, "page");
    for (const Value& file : document.root.at("files").as_array()) names.push_back(file.get_string("filename"));
    return names;
  }
  int asked() const {
    return upstream.pages + upstream.not_modified + upstream.absent + upstream.files + upstream.metadata;
  }

  using Names = std::vector<std::string>;
  FakeIndex upstream;
  TestMirror mirror{upstream.simple_url(), [](MirrorConfig& config) {
                      testing::add_team_and_overlay(config, {"acme-*", "internal"});
                    }};
};

TEST_F(Overlay, TheFirstIndexThatHasAProjectServesAllOfIt) {
  EXPECT_EQ(files("all", "tool"), Names{"tool-1.0-py3-none-any.whl"});
  EXPECT_EQ(asked(), 0);
  EXPECT_EQ(files("all", "public"), Names{"public-1.0-py3-none-any.whl"});
  EXPECT_EQ(asked(), 1);
  EXPECT_EQ(page("all", "nothing").status, 404);
}

TEST_F(Overlay, ServesFilesOfItsMembers) {
  const HttpResponse response = page("all", "public");
  const Document document = parse_json(response.body, "page");
  const std::string url =
      resolve_url(mirror.url() + "/all/simple/public/", document.root.at("files").as_array().at(0).get_string("url"));
  EXPECT_EQ(mirror.get(url).body, make_wheel("public", "1.0"));
}

TEST_F(Overlay, ClaimedAndPrivateNamesNeverReachTheUpstream) {
  set_upstream("acme-core", "6.6");
  for (const char* path :
       {"/all/simple/acme-core/", "/all/simple/ACME.core/", "/all/simple/internal/", "/all/simple/tool/",
        "/all/simple/v1+html/acme-core/", "/pypi/simple/acme-core/", "/pypi/simple/internal/", "/pypi/simple/tool/"}) {
    const int status = mirror.get(path).status;
    EXPECT_TRUE(status == 404 || status == 301 || std::string(path) == "/all/simple/tool/") << path << " " << status;
  }
  EXPECT_EQ(asked(), 0);
  list("team", "acme-core", "1.0");
  EXPECT_EQ(files("all", "acme-core"), Names{"acme-core-1.0-py3-none-any.whl"});
  EXPECT_EQ(page("pypi", "acme-core").status, 404);
  EXPECT_EQ(asked(), 0);
}

TEST_F(Overlay, WhatWasPulledBeforeItWasClaimedIsServedNoMore) {
  EXPECT_EQ(files("pypi", "public"), Names{"public-1.0-py3-none-any.whl"});
  const std::string hex = Digest::of(make_wheel("public", "1.0")).hex();
  const std::string path = "/packages/" + hex.substr(0, 2) + "/" + hex + "/public-1.0-py3-none-any.whl";
  EXPECT_EQ(mirror.get(path).status, 200);
  mirror.config.indexes[2].overlay.claims.push_back("public");
  mirror.restart();
  EXPECT_EQ(page("all", "public").status, 404);
  EXPECT_EQ(page("pypi", "public").status, 404);
  const HttpResponse refused = mirror.get(path);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(parse_json(refused.body, "problem").root.get_string("rule"), "claims");
  EXPECT_EQ(mirror.get("/all/simple/").body.find("public"), std::string::npos);
}

TEST_F(Overlay, MixesFilesOnlyWhereItSaysSo) {
  mirror.config.indexes[2].overlay.merge = {"tool", "acme-*"};
  mirror.restart();
  EXPECT_EQ(files("all", "tool"), (Names{"tool-1.0-py3-none-any.whl", "tool-9.0-py3-none-any.whl"}));
  EXPECT_EQ(asked(), 1);
  set_upstream("acme-core", "6.6");  // a claim is stronger
  list("team", "acme-core", "1.0");
  EXPECT_EQ(files("all", "acme-core"), Names{"acme-core-1.0-py3-none-any.whl"});
  EXPECT_EQ(asked(), 1);
}

TEST_F(Overlay, OfOneFileNameTheFirstMembersStays) {
  mirror.config.indexes[2].overlay.merge = {"tool"};
  mirror.restart();
  upstream.set_page("tool", json_page("tool", {json_file("tool-1.0-py3-none-any.whl", std::string(64, 'b'))}), kJson);
  EXPECT_EQ(files("all", "tool"), Names{"tool-1.0-py3-none-any.whl"});
  EXPECT_NE(page("all", "tool").body.find(Digest::of(make_wheel("tool", "1.0")).hex()), std::string::npos);
}

TEST_F(Overlay, DoesNotPassOverAnIndexThatCannotBeAsked) {
  IndexConfig last;
  last.name = "last";
  last.mode = "private";
  last.upstream = "";
  last.frozen = true;
  mirror.config.indexes.push_back(last);
  mirror.config.indexes[2].overlay.members = {"pypi", "last"};
  mirror.restart();
  list("last", "other", "1.0");
  upstream.set_down(true);
  EXPECT_EQ(page("all", "other").status, 200);  // private: the upstream is not asked at all
  EXPECT_EQ(page("all", "public").status, 502);
}

TEST_F(Overlay, EachMembersPolicyHolds) {
  mirror.config.indexes[0].policy.cooldown_first_seen_ms = 60'000;
  mirror.restart();
  EXPECT_EQ(files("all", "public"), Names{});
  EXPECT_EQ(files("all", "tool"), Names{"tool-1.0-py3-none-any.whl"});
  mirror.clock.advance_ms(60'000);
  EXPECT_EQ(files("all", "public"), Names{"public-1.0-py3-none-any.whl"});
}

TEST_F(Overlay, ListsTheNamesOfItsMembersOnce) {
  page("pypi", "public");
  list("team", "public", "1.0");
  const Document list_page = parse_json(mirror.get("/all/simple/", {{"Accept", kJson}}).body, "list");
  Names names;
  for (const Value& project : list_page.root.at("projects").as_array()) names.push_back(project.get_string("name"));
  EXPECT_EQ(names, (Names{"public", "tool"}));
}

TEST(OverlayOfASync, TakesNoClaimedNorPrivateNames) {
  testing::SyncUpstream upstream;
  for (const char* project : {"alpha", "acme-core", "tool"}) upstream.set_wheels(project, {"1.0"});
  testing::SyncBench bench(upstream);
  IndexConfig team{.name = "team"}, all{.name = "all"};
  team.mode = "private";
  all.mode = "overlay";
  all.overlay = {{"team", "pypi"}, {"acme-*"}, {}};
  bench.config.indexes.push_back(team);
  bench.config.indexes.push_back(all);
  Catalog catalog(bench.config.storage / "catalog.db");
  PageStore(catalog).apply("team", {{"tool", ProjectDocument{}}}, 1, "test");
  bench.run();
  EXPECT_EQ(bench.projects(), std::vector<std::string>{"alpha"});
  EXPECT_EQ(upstream.pages, 1);
  // Nor are they asked for when they are named.
  bench.set_keys("    include: [alpha, acme-core]\n");
  bench.config.indexes.push_back(team);
  bench.config.indexes.push_back(all);
  bench.run();
  const sync::Explanation explanation = sync::explain_project(bench.config, bench.config.indexes[0], "acme-core",
                                                              *bench.transport, *bench.runner, bench.clock);
  EXPECT_EQ(explanation.rule, "claims");
  EXPECT_EQ(bench.projects(), std::vector<std::string>{"alpha"});
  EXPECT_LE(upstream.pages + upstream.not_modified, 2);
}

}  // namespace
}  // namespace dae::mirror
