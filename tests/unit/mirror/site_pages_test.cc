// What people see of a mirror, over HTTP.
#include <gtest/gtest.h>

#include "base/hash.h"
#include "fixture.h"
#include "mirror/artifact/artifact.h"
#include "mirror/artifact/registry_client.h"
#include "mirror/catalog.h"

namespace dae::mirror {
namespace {

using testing::FakeIndex;
using testing::json_file;
using testing::make_wheel;
using testing::TestMirror;

constexpr const char* kJson = "application/vnd.pypi.simple.v1+json";

std::string digits(char digit) {
  return std::string(64, digit);
}

struct SitePages : ::testing::Test {
  void offer(const std::string& project, const std::vector<std::string>& files, const std::string& extra = "") {
    std::string list;
    for (const std::string& file : files) list += (list.empty() ? "" : ",") + file;
    upstream.set_page(project,
                      R"({"meta":{"api-version":"1.4"},"name":")" + project + R"(","versions":[],"files":[)" + list +
                          "]" + extra + "}",
                      kJson);
    mirror.page(project);
  }
  // The page's text; fails when it is not what every page is.
  std::string see(const std::string& path, int status = 200) {
    const HttpResponse response = mirror.get(path);
    EXPECT_EQ(response.status, status) << path << ": " << response.body;
    EXPECT_EQ(response.headers.get("Content-Type"), "text/html; charset=utf-8") << path;
    const std::string policy(response.headers.get("Content-Security-Policy"));
    EXPECT_TRUE(policy.starts_with("default-src 'none'; style-src 'sha256-")) << policy;
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    EXPECT_EQ(response.body.find("<script"), std::string::npos) << path;
    EXPECT_EQ(response.body.find(" style="), std::string::npos) << path;
    return response.body;
  }
  bool has(const std::string& body, const std::string& text) {
    if (body.find(text) != std::string::npos) return true;
    ADD_FAILURE() << "no `" << text << "` in\n" << body.substr(body.find("<main"));
    return false;
  }
  void push_app(const std::string& repository, const std::string& tag, const std::vector<std::string>& wheels) {
    const auto local = open_blob_store(dir.path() / "blobs");
    const auto put = [&](const char* type, const std::string& bytes) {
      Descriptor out;
      out.media_type = type;
      out.digest = local->put(bytes);
      out.size_bytes = bytes.size();
      return out;
    };
    Manifest manifest;
    manifest.config = put(kConfigType, "{}");
    manifest.layers.push_back(put(kSourceType, "source"));
    manifest.layers.back().annotations[kTarDigest] = Digest::of("tar").oci();
    for (const std::string& wheel : wheels) {
      manifest.layers.push_back(put(kWheelType, wheel));
      manifest.layers.back().annotations[kTitle] = wheel;
    }
    manifest.annotations["org.example.note"] = "<made> " + tag;
    NullSink events;
    RegistryClient(*mirror.transport, mirror.url()).push(repository, tag, manifest, *local, events);
  }

  TempDir dir;
  FakeIndex upstream;
  TestMirror mirror{upstream.simple_url()};
};

TEST_F(SitePages, TheOverviewNamesIndexesRepositoriesAndRuns) {
  offer("demo", {json_file("demo-1.0-py3-none-any.whl", digits('1')), json_file("demo-1.0.tar.gz", digits('2'))});
  push_app("apps/web", "1.0", {});
  const std::string body = see("/");
  has(body, "href=\"ui/search?index=pypi\">pypi</a>");
  has(body, "pull-through");
  has(body, "<td class=\"n\">1</td><td class=\"n\">2</td>");
  has(body, "href=\"ui/artifacts/apps/web\">apps/web</a>");
  has(body, "Neither sync, verify nor gc has run here.");
}

TEST_F(SitePages, AProjectHasItsVersionsNewestFirstWithAllThatIsKnownOfEachFile) {
  const std::string extra =
      R"(,"size":2048,"upload-time":"2024-05-01T10:20:30Z","requires-python":">=3.9,<4","core-metadata":true)"
      R"(,"provenance":"https://index.example/proof?a=1&b=2")";
  offer("demo", {json_file("demo-1.9-py3-none-any.whl", digits('1'), extra), json_file("demo-1.10.tar.gz", digits('2')),
                 json_file("demo-1.10-py3-none-any.whl", digits('3'), R"(,"yanked":"broken on <Mondays>")"),
                 json_file("demo-2.0rc1.tar.gz", digits('4'))});
  const std::string body = see("/ui/pypi/demo");
  has(body, "<h1>demo <span class=\"soft\">1.10</span></h1>");
  EXPECT_LT(body.find("<b>2.0rc1</b>"), body.find("<b>1.10</b>"));
  EXPECT_LT(body.find("<b>1.10</b>"), body.find("<b>1.9</b>"));
  has(body, "<b>2.0rc1</b> <span class=\"badge\">pre-release</span>");
  has(body, "<span class=\"badge warn\">yanked</span> <span class=\"soft\">broken on &lt;Mondays&gt;</span>");
  has(body, "href=\"../../packages/11/" + digits('1') + "/demo-1.9-py3-none-any.whl\">demo-1.9-py3-none-any.whl</a>");
  has(body, "demo-1.9-py3-none-any.whl.metadata\">METADATA</a>");
  has(body, "2.0 KiB");
  has(body, "&gt;=3.9,&lt;4");
  has(body, "<time datetime=\"2024-05-01T10:20:30Z\">");
  has(body, "<dt>first seen here</dt><dd><time datetime=\"2023-11-14T22:13:20Z\">");
  has(body, "demo-1.9-py3-none-any.whl.provenance\">attestations</a>");
  has(body, "<code>" + digits('4') + "</code>");
  has(body, "pip install --index-url " + mirror.url() + "/pypi/simple/ demo\n");
  has(body, "uv pip install --index-url " + mirror.url() + "/pypi/simple/ demo\n");
  has(body, "dae install --index " + mirror.url() + "/pypi/simple/ demo<");
  // A name in another spelling is the same project.
  EXPECT_EQ(see("/ui/pypi/Demo"), body);
}

TEST_F(SitePages, AStatusIsSaidWithItsReason) {
  offer("demo", {json_file("demo-1.0.tar.gz", digits('1'))},
        R"(,"project-status":{"status":"archived","reason":"use <other>"})");
  has(see("/ui/pypi/demo"), "archived</strong> use &lt;other&gt;");
}

TEST_F(SitePages, ThousandsOfFilesArePagedAndFolded) {
  std::vector<std::string> files;
  for (int i = 0; i < 1'000; ++i) {
    files.push_back(json_file("demo-1.0-" + std::to_string(i) + "-py3-none-any.whl", digits('1')));
  }
  for (int i = 2; i < 50; ++i) files.push_back(json_file("demo-" + std::to_string(i) + ".0.tar.gz", digits('2')));
  offer("demo", files);
  const std::string first = see("/ui/pypi/demo");
  has(first, "<b>49.0</b>");
  has(first, "Page 1 of 3");
  EXPECT_EQ(first.find("<b>29.0</b>"), std::string::npos);
  has(see("/ui/pypi/demo?page=2"), "<b>29.0</b>");
  const std::string last = see("/ui/pypi/demo?page=3");
  has(last, "<b>1.0</b>");
  has(last, "And 800 more files.");
  EXPECT_LT(last.size(), 300'000u);
  see("/ui/pypi/demo?page=99");
}

TEST_F(SitePages, WhatIsNotThereIsSaidAsAPage) {
  has(see("/ui/pypi/absent", 404), "href=\"../../pypi/simple/absent/\">ask for it</a>");
  see("/ui/nowhere/demo", 404);
  see("/ui/pypi/a%3Cb%3E", 404);
  see("/ui/artifacts/apps/absent", 404);
  EXPECT_EQ(upstream.absent, 0) << "a page for people never asks upstream";
}

TEST_F(SitePages, SearchPutsTheNameFirstThenBeginningsThenTheRest) {
  for (const char* name : {"apple", "app", "grapple", "banana"}) {
    offer(name, {json_file(std::string(name) + "-1.0.tar.gz", digits('1'))});
  }
  const std::string body = see("/ui/search?q=App");
  has(body, "3 names have “App” in them");
  EXPECT_LT(body.find("href=\"pypi/app\""), body.find("href=\"pypi/apple\""));
  EXPECT_LT(body.find("href=\"pypi/apple\""), body.find("href=\"pypi/grapple\""));
  EXPECT_EQ(body.find("href=\"pypi/banana\""), std::string::npos);
  has(see("/ui/search"), "4 projects");
  has(see("/ui/search?q=app&index=other"), "No name here has");
  const std::string hostile = see("/ui/search?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E");
  has(hostile, "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;");
}

TEST_F(SitePages, SearchIsPaged) {
  for (int i = 0; i < 60; ++i) {
    const std::string name = "p" + std::to_string(100 + i);
    offer(name, {json_file(name + "-1.0.tar.gz", digits('1'))});
  }
  const std::string first = see("/ui/search?q=p1"), second = see("/ui/search?q=p1&page=2");
  has(first, "60 names have");
  has(first, "href=\"pypi/p149\"");
  has(first, "href=\"?q=p1&amp;page=2\"");
  EXPECT_EQ(first.find("href=\"pypi/p150\""), std::string::npos);
  has(second, "href=\"pypi/p150\"");
  has(see("/ui/search?q=p1&page=9"), "fewer pages");
}

TEST_F(SitePages, AProjectNamesTheAppsThatHaveIt) {
  offer("demo", {json_file("demo-1.0-py3-none-any.whl", digits('1'))});
  has(see("/ui/pypi/demo"), "None of the newest artifacts of 0 apps.");
  push_app("apps/old", "1", {"demo-0.9-py3-none-any.whl"});
  push_app("apps/web", "1", {"demo-0.9-py3-none-any.whl"});
  mirror.clock.advance_ms(1'000);
  push_app("apps/web", "2", {"demo-1.0-py3-none-any.whl", "other_thing-3.0-py3-none-any.whl"});
  const std::string body = see("/ui/pypi/demo");
  has(body, "href=\"../../ui/artifacts/apps/old\">apps/old</a> <span>1</span> <span class=\"soft\">has demo 0.9");
  has(body, "href=\"../../ui/artifacts/apps/web\">apps/web</a> <span>2</span> <span class=\"soft\">has demo 1.0");
}

TEST_F(SitePages, ARepositoryShowsItsTagsNewestFirst) {
  push_app("apps/web", "1.0", {"demo-0.9-py3-none-any.whl"});
  mirror.clock.advance_ms(60'000);
  push_app("apps/web", "1.1", {"demo-1.0-py3-none-any.whl"});
  has(see("/ui/artifacts"), "href=\"artifacts/apps/web\">apps/web</a> <span class=\"soft\">2 tags, 2 manifests");
  const std::string body = see("/ui/artifacts/apps/web");
  EXPECT_LT(body.find("<b>1.1</b>"), body.find("<b>1.0</b>"));
  has(body, "href=\"../../../v2/apps/web/manifests/1.1\"");
  has(body, "tags never move");
  has(body, "<dd>&lt;made&gt; 1.1</dd>");
  has(body, "in 2 parts");
  has(body, kArtifactType);
}

TEST_F(SitePages, RunsAreListedNewestFirst) {
  {
    Catalog catalog(mirror.config.storage / "catalog.db");
    catalog.write([](Database& db) {
      db.execute(
          "INSERT INTO runs(kind, index_name, started_ms, ended_ms, result, counts) VALUES"
          "('sync','pypi',1700000000000,1700000090000,'done','{\"added\":1200,\"kept\":0}'),"
          "('gc','',1700000100000,1700000101000,'failed: disk <full>','{}'),"
          "('verify','',1700000200000,NULL,'','not json')");
    });
  }
  const std::string body = see("/ui/runs");
  EXPECT_LT(body.find(">verify<"), body.find(">gc<"));
  EXPECT_LT(body.find(">gc<"), body.find(">sync<"));
  has(body, "not ended");
  has(body, "failed: disk &lt;full&gt;");
  has(body, "added 1,200");
  EXPECT_EQ(body.find("kept 0"), std::string::npos);
  has(see("/"), "href=\"ui/runs\">All runs</a>");
}

TEST_F(SitePages, APageThatDidNotChangeIsNotSentAgain) {
  offer("demo", {json_file("demo-1.0.tar.gz", digits('1'))});
  for (const char* path : {"/", "/ui/search?q=demo", "/ui/pypi/demo", "/ui/artifacts", "/ui/runs"}) {
    const HttpResponse first = mirror.get(path);
    const std::string etag(first.headers.get("ETag"));
    ASSERT_NE(etag, "") << path;
    EXPECT_EQ(mirror.get(path, {{"If-None-Match", etag}}).status, 304) << path;
    EXPECT_EQ(mirror.send("HEAD", path).headers.get("ETag"), etag) << path;
  }
}

}  // namespace
}  // namespace dae::mirror
