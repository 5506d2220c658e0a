#include <gtest/gtest.h>

#include <thread>

#include "base/hash.h"
#include "base/strings.h"
#include "one_wheel.h"

namespace dae::mirror {
namespace {

using testing::FakeIndex;
using testing::json_file;
using testing::json_page;
using testing::kJson;
using testing::kWheelName;
using testing::make_wheel;
using testing::metadata_text;
using testing::TestMirror;

constexpr const char* kHtml = "text/html";

struct PullThrough : testing::OneWheel {};

std::vector<HttpResponse> get_at_once(TestMirror& mirror, const std::string& path, int clients) {
  std::vector<HttpResponse> responses(static_cast<size_t>(clients));
  std::vector<std::thread> threads;
  for (HttpResponse& response : responses) {
    threads.emplace_back([&mirror, &response, &path] { response = mirror.get(path); });
  }
  for (std::thread& thread : threads) thread.join();
  return responses;
}

TEST_F(PullThrough, ServesThePageAndTheFileFromHere) {
  EXPECT_EQ(mirror.file_path("demo", kWheelName), path);
  const HttpResponse file = mirror.get(path);
  EXPECT_EQ(file.status, 200);
  EXPECT_EQ(file.body, wheel);
  EXPECT_NE(std::string(file.headers.get("Cache-Control")).find("immutable"), std::string::npos);
  upstream.set_down(true);
  EXPECT_EQ(mirror.get(path).body, wheel);
  EXPECT_EQ(upstream.files, 1);
}

TEST_F(PullThrough, FetchesOnceForTwentyClients) {
  upstream.set_delay_ms(100);
  for (const HttpResponse& response : get_at_once(mirror, "/pypi/simple/demo/", 20)) EXPECT_EQ(response.status, 200);
  EXPECT_EQ(upstream.pages, 1);
  for (const HttpResponse& response : get_at_once(mirror, path, 20)) EXPECT_EQ(response.body, wheel);
  EXPECT_EQ(upstream.files, 1);
  for (const HttpResponse& response : get_at_once(mirror, path + ".metadata", 20)) EXPECT_EQ(response.status, 200);
  EXPECT_LE(upstream.metadata, 1);
  EXPECT_EQ(upstream.files, 1);
}

TEST_F(PullThrough, AnswersRangesHeadAndValidators) {
  mirror.page("demo");
  const HttpResponse head = mirror.send("HEAD", path);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.get("Content-Length"), std::to_string(wheel.size()));
  EXPECT_EQ(head.headers.get("Accept-Ranges"), "bytes");
  const HttpResponse tail = mirror.get(path, {{"Range", "bytes=-10"}});
  EXPECT_EQ(tail.status, 206);
  EXPECT_EQ(tail.body, wheel.substr(wheel.size() - 10));
  EXPECT_EQ(mirror.get(path, {{"Range", "bytes=99999999-"}}).status, 416);
  EXPECT_EQ(mirror.get(path, {{"If-None-Match", "\"" + sha256 + "\""}}).status, 304);
}

TEST_F(PullThrough, NeverKeepsBytesWithAnotherDigest) {
  upstream.set_file(kWheelName, wheel + "tampered");
  mirror.page("demo");
  const HttpResponse wrong = mirror.get(path);
  EXPECT_EQ(wrong.status, 502);
  EXPECT_NE(wrong.body.find("sha256"), std::string::npos);
  EXPECT_EQ(mirror.get(path).status, 502);
  EXPECT_EQ(upstream.files, 2);
  upstream.set_file(kWheelName, wheel);
  EXPECT_EQ(mirror.get(path).body, wheel);
}

TEST_F(PullThrough, ServesOnlyWhatAPageLists) {
  EXPECT_EQ(mirror.get(path).status, 404);  // nobody asked for the page yet
  mirror.page("demo");
  EXPECT_EQ(mirror.get(path).status, 200);
  const std::string other(64, 'a');
  EXPECT_EQ(mirror.get("/packages/aa/" + other + "/" + kWheelName).status, 404);
  EXPECT_EQ(mirror.get("/packages/00/" + sha256 + "/" + kWheelName).status, 404);
  EXPECT_EQ(mirror.get("/packages/" + sha256.substr(0, 2) + "/" + sha256 + "/other-1.0-py3-none-any.whl").status, 404);
  EXPECT_EQ(mirror.get("/packages/" + sha256.substr(0, 2) + "/" + sha256 + "/..%2fcatalog.db").status, 400);
}

TEST_F(PullThrough, RemembersAPageForAsLongAsItIsFresh) {
  mirror.page("demo");
  mirror.page("demo");
  EXPECT_EQ(upstream.pages, 1);
  mirror.clock.advance_ms(601'000);
  mirror.page("demo");
  EXPECT_EQ(upstream.pages, 1);
  EXPECT_EQ(upstream.not_modified, 1);
  upstream.set_page("demo", json_page("demo", {}), kJson, "e2");
  mirror.clock.advance_ms(601'000);
  EXPECT_EQ(mirror.page("demo").at("files").size(), 0u);
  EXPECT_EQ(mirror.get(path).status, 404);  // upstream took it back
}

TEST_F(PullThrough, SurvivesARestart) {
  mirror.page("demo");
  mirror.get(path);
  upstream.set_down(true);
  mirror.restart();
  EXPECT_EQ(mirror.page("demo").at("files").size(), 1u);
  EXPECT_EQ(mirror.get(path).body, wheel);
}

TEST_F(PullThrough, AnswersStaleWhenUpstreamIsDown) {
  mirror.page("demo");
  mirror.clock.advance_ms(3'600'000);
  upstream.set_down(true);
  const HttpResponse stale = mirror.get("/pypi/simple/demo/");
  EXPECT_EQ(stale.status, 200);
  EXPECT_NE(stale.body.find(kWheelName), std::string::npos);
  EXPECT_EQ(mirror.get("/pypi/simple/never-asked/").status, 502);
  EXPECT_NE(mirror.get("/metrics").body.find("dae_mirror_stale_pages_total 1\n"), std::string::npos);
  upstream.set_down(false);
  upstream.set_page("demo", json_page("demo", {}), kJson);
  mirror.clock.advance_ms(31'000);
  EXPECT_EQ(mirror.page("demo").at("files").size(), 0u);
}

TEST_F(PullThrough, NeverAsksUpstreamWhenFrozen) {
  const std::string other = "demo-2.0-py3-none-any.whl", other_sha256(64, 'b');
  upstream.set_page("demo", json_page("demo", {json_file(kWheelName, sha256), json_file(other, other_sha256)}), kJson);
  mirror.page("demo");
  mirror.get(path);
  mirror.config.indexes[0].frozen = true;
  mirror.restart();
  upstream.set_page("late", json_page("late", {}), kJson);
  mirror.clock.advance_ms(86'400'000);
  const HttpResponse page = mirror.get("/pypi/simple/demo/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.headers.get("Cache-Control"), "public, max-age=600");
  EXPECT_EQ(mirror.get(path).body, wheel);
  EXPECT_EQ(mirror.get(path + ".metadata").body, metadata_text("demo", "1.0"));
  EXPECT_EQ(mirror.get("/pypi/simple/late/").status, 404);
  const std::string absent = "/packages/bb/" + other_sha256 + "/" + other;
  EXPECT_EQ(mirror.get(absent).status, 404);
  EXPECT_EQ(mirror.get(absent + ".metadata").status, 404);
  EXPECT_EQ(upstream.pages, 1);
  EXPECT_EQ(upstream.files, 1);
  EXPECT_EQ(upstream.metadata, 0);
  EXPECT_EQ(upstream.absent, 0);
}

TEST_F(PullThrough, RemembersThatAProjectIsAbsentForAMinute) {
  EXPECT_EQ(mirror.get("/pypi/simple/nothing/").status, 404);
  EXPECT_EQ(mirror.get("/pypi/simple/nothing/").status, 404);
  EXPECT_EQ(upstream.absent, 1);
  upstream.set_page("nothing", json_page("nothing", {}), kJson);
  mirror.clock.advance_ms(61'000);
  EXPECT_EQ(mirror.get("/pypi/simple/nothing/").status, 200);
  mirror.page("demo");
  upstream.remove_page("demo");
  mirror.clock.advance_ms(601'000);
  EXPECT_EQ(mirror.get("/pypi/simple/demo/").status, 404);
  EXPECT_EQ(mirror.get(path).status, 404);
}

TEST_F(PullThrough, SendsUnnormalisedNamesOnTheirWay) {
  const auto location = [&](const std::string& asked) {
    const HttpResponse response = mirror.get(asked);
    EXPECT_EQ(response.status, 301) << asked;
    return resolve_url(mirror.url() + asked, response.headers.get("Location")).substr(mirror.url().size());
  };
  EXPECT_EQ(location("/pypi/simple/De.Mo/"), "/pypi/simple/de-mo/");
  EXPECT_EQ(location("/pypi/simple/demo"), "/pypi/simple/demo/");
  EXPECT_EQ(location("/pypi/simple/De__mo?format=x"), "/pypi/simple/de-mo/?format=x");
  EXPECT_EQ(location("/pypi/simple/v1+html/DEMO/"), "/pypi/simple/v1+html/demo/");
  EXPECT_EQ(location("/pypi/simple/v1+html"), "/pypi/simple/v1+html/");
  EXPECT_EQ(location("/pypi/simple"), "/pypi/simple/");
  EXPECT_EQ(upstream.pages + upstream.absent, 0);
}

TEST_F(PullThrough, RefusesWhatIsNoName) {
  for (const char* name : {"/pypi/simple/-demo-/", "/pypi/simple/a/b/", "/pypi/simple/a%2fb/", "/pypi/simple//",
                           "/pypi/simple/%2f%2fevil.example/", "/other/simple/demo/"}) {
    EXPECT_EQ(mirror.get(name).status, 404) << name;
  }
  EXPECT_EQ(upstream.pages + upstream.absent, 0);
}

TEST_F(PullThrough, GivesEachRepresentationItsOwnValidator) {
  const HttpResponse json = mirror.get("/pypi/simple/demo/", {{"Accept", kJson}});
  const HttpResponse html = mirror.get("/pypi/simple/demo/", {{"Accept", kHtml}});
  const HttpResponse v1 = mirror.get("/pypi/simple/demo/", {{"Accept", "application/vnd.pypi.simple.v1+html"}});
  EXPECT_EQ(json.headers.get("Content-Type"), kJson);
  EXPECT_EQ(v1.headers.get("Content-Type"), "application/vnd.pypi.simple.v1+html");
  std::set<std::string> etags;
  for (const HttpResponse* response : {&json, &html, &v1}) {
    EXPECT_EQ(response->headers.get("Vary"), "Accept, Accept-Encoding");
    EXPECT_NE(response->headers.get("Cache-Control").find("max-age=600"), std::string_view::npos);
    etags.insert(std::string(response->headers.get("ETag")));
  }
  EXPECT_EQ(etags.size(), 3u);
  const std::string etag(json.headers.get("ETag"));
  const HttpResponse same = mirror.get("/pypi/simple/demo/", {{"Accept", kJson}, {"If-None-Match", etag}});
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.headers.get("ETag"), etag);
  EXPECT_EQ(same.headers.get("Vary"), "Accept, Accept-Encoding");
  EXPECT_EQ(mirror.get("/pypi/simple/demo/", {{"Accept", kHtml}, {"If-None-Match", etag}}).status, 200);
  EXPECT_EQ(mirror.get("/pypi/simple/demo/", {{"Accept", "image/png"}}).status, 406);
  EXPECT_EQ(mirror.get("/pypi/simple/demo/?format=" + percent_encode(kJson)).headers.get("Content-Type"), kJson);
}

TEST_F(PullThrough, HtmlOnlyPathAnswersHtmlWhateverIsAsked) {
  const HttpResponse page = mirror.get("/pypi/simple/v1+html/demo/", {{"Accept", kJson}});
  EXPECT_EQ(page.status, 200);
  EXPECT_NE(page.headers.get("Content-Type").find("text/html"), std::string_view::npos);
  const size_t at = page.body.find("href=\"") + 6;
  const std::string href = page.body.substr(at, page.body.find_first_of("\"#", at) - at);
  EXPECT_EQ(resolve_url(mirror.url() + "/pypi/simple/v1+html/demo/", href), mirror.url() + path);
}

TEST_F(PullThrough, ListsOnlyTheNamesItKnows) {
  EXPECT_EQ(parse_json(mirror.get("/pypi/simple/", {{"Accept", kJson}}).body, "list").root.at("projects").size(), 0u);
  mirror.page("demo");
  mirror.get("/pypi/simple/nothing/");
  const Value list = parse_json(mirror.get("/pypi/simple/", {{"Accept", kJson}}).body, "list").root;
  ASSERT_EQ(list.at("projects").size(), 1u);
  EXPECT_EQ(list.at("projects").as_array()[0].get_string("name"), "demo");
  EXPECT_NE(mirror.get("/pypi/simple/v1+html/").body.find("demo"), std::string::npos);
}

TEST_F(PullThrough, DropsHostileFiles) {
  const std::string good = json_file(kWheelName, sha256);
  const auto at = [&](const std::string& name, const std::string& url) {
    return R"({"filename":")" + name + R"(","url":")" + url + R"(","hashes":{"sha256":")" + sha256 + "\"}}";
  };
  upstream.set_page(
      "demo",
      json_page("demo",
                {good, at("../demo-1.1-py3-none-any.whl", "../../files/x"),
                 at("demo-1.2-py3-none-any.whl", "file:///etc/passwd"),
                 at("demo-1.3-py3-none-any.whl", "http://169.254.169.254/latest/meta-data"),
                 at("demo-1.4-py3-none-any.whl", "http://10.0.0.1/x"),
                 at("demo-1.5-py3-none-any.whl", "http://[::1]/x"), at("other-1.0-py3-none-any.whl", "../../files/x"),
                 at("demo.txt", "../../files/x"), json_file("demo-1.6-py3-none-any.whl", "not-a-digest"), good}),
      kJson, "e2");
  const Value page = mirror.page("demo");
  ASSERT_EQ(page.at("files").size(), 1u);
  EXPECT_EQ(page.at("files").as_array()[0].get_string("filename"), kWheelName);
}

TEST_F(PullThrough, OffersNoFileOfAQuarantinedProject) {
  std::string page = json_page("demo", {json_file(kWheelName, sha256)});
  page.insert(1, R"("project-status":{"status":"quarantined","reason":"malware"},)");
  upstream.set_page("demo", page, kJson, "e2");
  EXPECT_EQ(mirror.page("demo").at("files").size(), 0u);
  EXPECT_EQ(mirror.page("demo").at("project-status").get_string("reason"), "malware");
  EXPECT_EQ(mirror.get(path).status, 404);
}

TEST_F(PullThrough, StopsAtTheLimits) {
  TestMirror small(upstream.simple_url(), [](MirrorConfig& config) { config.page_limit_bytes = 10; });
  EXPECT_EQ(small.get("/pypi/simple/demo/").status, 502);
  TestMirror narrow(upstream.simple_url(), [](MirrorConfig& config) { config.file_limit_bytes = 10; });
  narrow.page("demo");
  EXPECT_EQ(narrow.get(path).status, 502);
  // More bytes than the page announced.
  upstream.set_page("demo", json_page("demo", {json_file(kWheelName, sha256, R"(,"size":5)")}), kJson);
  TestMirror announced(upstream.simple_url());
  announced.page("demo");
  EXPECT_EQ(announced.get(path).status, 502);
}

TEST_F(PullThrough, TellsPeopleAndProbesWhatItHas) {
  mirror.page("demo");
  EXPECT_EQ(mirror.get("/healthz").status, 200);
  const HttpResponse home = mirror.get("/");
  EXPECT_NE(home.headers.get("Content-Type").find("text/html"), std::string_view::npos);
  EXPECT_NE(home.body.find("pypi"), std::string::npos);
  mirror.get(path);
  const std::string metrics = mirror.get("/metrics").body;
  EXPECT_NE(metrics.find("dae_mirror_requests_total{route=\"index\",status=\"2xx\"} 1\n"), std::string::npos)
      << metrics;
  EXPECT_NE(metrics.find("dae_mirror_upstream_files_total 1\n"), std::string::npos);
  EXPECT_NE(metrics.find("dae_mirror_blobs 1\n"), std::string::npos);
}

TEST(PullThroughStorage, BelongsToOneMirror) {
  FakeIndex upstream;
  TestMirror mirror(upstream.simple_url());
  const auto runner = make_process_runner();
  EXPECT_THROW(start_mirror(mirror.config, *mirror.transport, *runner), Error);
}

}  // namespace
}  // namespace dae::mirror
