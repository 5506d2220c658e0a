// What mirror.yaml says about serving, and what clients see of it.
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "fixture.h"
#include "mirror/serving/access_log.h"
#include "mirror/serving/limits.h"

namespace dae::mirror {
namespace {

using testing::FakeIndex;
using testing::json_file;
using testing::json_page;
using testing::make_wheel;
using testing::TestMirror;

constexpr const char* kJson = "application/vnd.pypi.simple.v1+json";
const std::string kWheelName = "demo-1.0-py3-none-any.whl";

struct Serving : ::testing::Test {
  Serving() {
    upstream.set_file(kWheelName, wheel);
    list();
  }
  void list(const std::string& extra = "") {
    upstream.set_page("demo", json_page("demo", {json_file(kWheelName, sha256, extra)}), kJson);
  }
  std::string wheel = make_wheel("demo", "1.0"), sha256 = Digest::of(wheel).hex();
  std::string path = "/packages/" + sha256.substr(0, 2) + "/" + sha256 + "/" + kWheelName;
  FakeIndex upstream;
};

MirrorConfig parse(const std::string& text) {
  return parse_mirror_config(parse_yaml("storage: /tmp/x\n" + text, "mirror.yaml"));
}

ServerRequest request_of(const std::string& target, const std::string& agent = "pip/1") {
  ServerRequest request;
  request.method = "GET";
  request.target = target;
  request.remote = "10.0.0.7:1234";
  request.headers.add("User-Agent", agent);
  return request;
}

TEST(ServingConfig, TakesLogReadOnlyAndLimits) {
  const ServingConfig config = parse(
                                   "access_log: /var/log/m.log\naccess_log_format: common\nread_only: true\n"
                                   "limits: {connections: 100, header_timeout: 5s, idle_timeout: 2m, drain: 1m}\n")
                                   .serving;
  EXPECT_EQ(config.access_log, "/var/log/m.log");
  EXPECT_EQ(config.log_format, ServingConfig::LogFormat::common);
  EXPECT_TRUE(config.read_only);
  EXPECT_EQ(config.connections, 100);
  EXPECT_EQ(config.header_timeout_ms, 5'000);
  EXPECT_EQ(config.idle_timeout_ms, 120'000);
  EXPECT_EQ(config.drain_ms, 60'000);
  EXPECT_TRUE(parse("").serving.access_log.empty());
}

TEST(ServingConfig, RefusesWhatCannotBe) {
  for (const char* text : {"access_log: \"\"\n", "access_log_format: xml\n", "limits: {connections: 0}\n",
                           "limits: {header_timeout: 0s}\n", "limits: {idle_timeout: 2h}\n", "limits: {drain: 0s}\n"}) {
    EXPECT_THROW(parse(text), Error) << text;
  }
}

TEST(AccessLine, IsOneJsonObjectALine) {
  const std::string line =
      access_line(ServingConfig::LogFormat::json, request_of("/pypi/simple/a/?token=x"), 200, 12, 3, 0);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const Value value = parse_json(line, "line").root;
  EXPECT_EQ(value.get_string("target"), "/pypi/simple/a/");
  EXPECT_EQ(value.get_string("agent"), "pip/1");
  EXPECT_EQ(value.at("status").as_integer(), 200);
  EXPECT_EQ(value.get_string("remote"), "10.0.0.7:1234");
}

TEST(AccessLine, HasTheFormThatLogReadersKnow) {
  const std::string line = access_line(ServingConfig::LogFormat::common, request_of("/a"), 404, 12, 3, 0);
  EXPECT_TRUE(line.starts_with("10.0.0.7 - - ["));
  EXPECT_NE(line.find("] \"GET /a HTTP/1.1\" 404 12 \"\" \"pip/1\"\n"), std::string::npos) << line;
}

TEST(AccessLine, LetsNoClientWriteLinesOfItsOwn) {
  for (const auto format : {ServingConfig::LogFormat::json, ServingConfig::LogFormat::common}) {
    const std::string line = access_line(format, request_of("/a", "x\" 200 1\n\xff\x1b[31m"), 200, 1, 1, 0);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
    EXPECT_EQ(line.find('\xff'), std::string::npos);
    EXPECT_EQ(line.find("x\" 200"), std::string::npos);
  }
}

TEST_F(Serving, LogsEveryAnswerAndGoesOnInANewFileAfterARename) {
  TestMirror mirror(upstream.simple_url(),
                    [](MirrorConfig& config) { config.serving.access_log = config.storage.string() + ".log"; });
  const Path log = mirror.config.serving.access_log, old = mirror.config.storage.string() + ".old";
  const auto has_lines = [](const Path& file, size_t count) {
    for (int i = 0; i < 500; ++i) {
      if (split_lines(read_file_if_exists(file).value_or("")).size() >= count) return true;
      SystemClock().sleep_ms(10);
    }
    return false;
  };
  mirror.page("demo");
  mirror.get(path);
  mirror.get(path);  // from the event loop
  ASSERT_TRUE(has_lines(log, 3));
  const Value last = parse_json(split_lines(read_file(log)).at(2), "line").root;
  EXPECT_EQ(last.get_string("target"), path);
  EXPECT_EQ(last.at("bytes").as_integer(), static_cast<int64_t>(wheel.size()));
  rename_path(log, old);
  mirror.get("/healthz");
  EXPECT_TRUE(has_lines(log, 1));
  EXPECT_EQ(split_lines(read_file(old)).size(), 3u);
}

TEST_F(Serving, ReadOnlyServesWhatIsKeptAndTakesNothing) {
  TestMirror mirror(upstream.simple_url());
  mirror.page("demo");
  mirror.get(path);
  mirror.config.serving.read_only = true;
  mirror.restart();
  EXPECT_EQ(mirror.get(path).body, wheel);
  EXPECT_EQ(mirror.page("demo").at("files").size(), 1u);
  EXPECT_EQ(mirror.get("/pypi/simple/other/").status, 404);
  EXPECT_EQ(upstream.absent, 0);
  const HttpResponse push = mirror.send("POST", "/v2/a/blobs/uploads/");
  EXPECT_EQ(push.status, 405);
  EXPECT_EQ(mirror.send("PUT", "/v2/a/manifests/x", {}, std::string(9u << 20, 'x')).status, 405);
  for (const char* method : {"PUT", "DELETE"}) EXPECT_EQ(mirror.send(method, "/v2/a/manifests/x").status, 405);
  EXPECT_EQ(mirror.get("/v2/").status, 200);
}

TEST_F(Serving, PassesProvenanceOnAndKeepsIt) {
  const std::string attested = R"({"version":1,"attestation_bundles":[]})";
  upstream.set_file(kWheelName + ".provenance", attested);
  list(R"(,"provenance":"../../files/)" + kWheelName + R"(.provenance")");
  TestMirror mirror(upstream.simple_url());
  const std::string link = mirror.page("demo").at("files").as_array()[0].get_string("provenance");
  EXPECT_EQ(resolve_url(mirror.url() + "/pypi/simple/demo/", link), mirror.url() + path + ".provenance");
  const HttpResponse first = mirror.get(path + ".provenance");
  EXPECT_EQ(first.body, attested);
  EXPECT_EQ(first.headers.get("Content-Type"), "application/vnd.pypi.integrity.v1+json");
  upstream.set_down(true);
  mirror.restart();
  EXPECT_EQ(mirror.get(path + ".provenance").body, attested);
  EXPECT_EQ(mirror.send("HEAD", path + ".provenance").headers.get("Content-Length"), std::to_string(attested.size()));
}

TEST_F(Serving, HasNoProvenanceThatIsNone) {
  TestMirror mirror(upstream.simple_url());
  mirror.page("demo");
  EXPECT_EQ(mirror.get(path + ".provenance").status, 404);  // not announced
  upstream.set_file(kWheelName + ".provenance", "<html>welcome</html>");
  list(R"(,"provenance":"../../files/)" + kWheelName + R"(.provenance")");
  mirror.clock.advance_ms(601'000);
  mirror.page("demo");
  EXPECT_EQ(mirror.get(path + ".provenance").status, 502);
  list(R"(,"provenance":"http://169.254.169.254/x")");
  mirror.clock.advance_ms(601'000);
  EXPECT_EQ(mirror.page("demo").at("files").as_array()[0].find("provenance"), nullptr);
}

// An upstream that sends whoever asks for a file somewhere else.
struct Redirecting : ::testing::Test {
  Redirecting() {
    ServerOptions options;
    options.loops = 1;
    server = start_http_server(
        options, {{.method = "GET",
                   .pattern = "/simple/demo/",
                   .handle =
                       [this](const ServerRequest&) {
                         return ServerResponse::text(200, json_page("demo", {json_file(kWheelName, sha256)}), kJson);
                       }},
                  {.method = "GET", .pattern = "/files/{}", .handle = [this](const ServerRequest&) {
                     ServerResponse response;
                     response.status = 302;
                     response.headers.set("Location", location);
                     return response;
                   }}});
    elsewhere.set_file(kWheelName, wheel);
  }
  int status_after_redirect_to(const std::string& host) {
    location = replace_all(elsewhere.url(), "127.0.0.1", host) + "/files/" + kWheelName;
    TestMirror mirror(server->url() + "/simple/");
    return mirror.get(mirror.file_path("demo", kWheelName)).status;
  }
  std::string wheel = make_wheel("demo", "1.0"), sha256 = Digest::of(wheel).hex(), location;
  FakeIndex elsewhere;
  std::unique_ptr<HttpServer> server;
};

TEST_F(Redirecting, IsFollowedOnItsOwnHostOnly) {
  EXPECT_EQ(status_after_redirect_to("127.0.0.1"), 200);
  EXPECT_EQ(elsewhere.files, 1);
  for (const char* inward : {"127.0.0.2", "localhost", "0.0.0.0", "127.1", "[::ffff:127.0.0.1]", "2130706433"}) {
    EXPECT_EQ(status_after_redirect_to(inward), 502) << inward;
  }
  EXPECT_EQ(elsewhere.files, 1);
}

TEST(OpenFiles, AreRaisedToWhatConnectionsNeed) {
  EXPECT_GE(raise_open_files(16), 1056u);
}

// Every kind of answer, asked for in every way that caches and download managers know.
struct Case {
  const char* what;
  const char* method;
  Headers headers;
  int status;
  std::string body;  // of a GET
};

struct Conditional : Serving {
  Conditional() : mirror(upstream.simple_url()) {
    mirror.page("demo");
    mirror.get(path);
  }
  void check(const std::string& target, const std::vector<Case>& cases) {
    // Twice: the second answer may come from the event loop.
    for (const Case& one : cases) {
      for (int time = 0; time < 2; ++time) {
        const HttpResponse response = mirror.send(one.method, target, one.headers);
        EXPECT_EQ(response.status, one.status) << target << ": " << one.what;
        const bool bodiless = one.method == std::string("HEAD") || one.status == 304 || one.status == 416;
        EXPECT_EQ(response.body, bodiless ? "" : one.body) << target << ": " << one.what;
        if (one.status != 416) {
          EXPECT_TRUE(response.headers.has("ETag")) << target << ": " << one.what;
        }
        if (one.status == 416) {
          EXPECT_EQ(response.headers.get("Content-Range"), "bytes */" + std::to_string(wheel.size()));
          EXPECT_EQ(response.headers.get("Content-Length"), "0");
        }
      }
    }
  }
  TestMirror mirror;
};

TEST_F(Conditional, FilesAreAnsweredExactly) {
  const std::string etag = "\"" + sha256 + "\"", n = std::to_string(wheel.size());
  const std::string modified(mirror.get(path).headers.get("Last-Modified"));
  const std::string old = "Mon, 01 Jan 2001 00:00:00 GMT";
  const std::string tail = wheel.substr(wheel.size() - 5);
  check(path, {{"plain", "GET", {}, 200, wheel},
               {"head", "HEAD", {}, 200, ""},
               {"same tag", "GET", {{"If-None-Match", etag}}, 304, ""},
               {"same tag, head", "HEAD", {{"If-None-Match", etag}}, 304, ""},
               {"weak tag", "GET", {{"If-None-Match", "W/" + etag}}, 304, ""},
               {"one of several", "GET", {{"If-None-Match", "\"a\", " + etag}}, 304, ""},
               {"any", "GET", {{"If-None-Match", "*"}}, 304, ""},
               {"other tag", "GET", {{"If-None-Match", "\"a\""}}, 200, wheel},
               {"not modified since", "GET", {{"If-Modified-Since", modified}}, 304, ""},
               {"modified since", "GET", {{"If-Modified-Since", old}}, 200, wheel},
               {"tag before date", "GET", {{"If-None-Match", "\"a\""}, {"If-Modified-Since", modified}}, 200, wheel},
               {"range", "GET", {{"Range", "bytes=0-4"}}, 206, wheel.substr(0, 5)},
               {"open range", "GET", {{"Range", "bytes=5-"}}, 206, wheel.substr(5)},
               {"suffix", "GET", {{"Range", "bytes=-5"}}, 206, tail},
               {"past the end", "GET", {{"Range", "bytes=0-99999999"}}, 206, wheel},
               {"range, head", "HEAD", {{"Range", "bytes=0-4"}}, 200, ""},
               {"beyond", "GET", {{"Range", "bytes=" + n + "-"}}, 416, ""},
               {"no bytes", "GET", {{"Range", "bytes=-0"}}, 416, ""},
               {"other unit", "GET", {{"Range", "lines=0-4"}}, 200, wheel},
               {"several", "GET", {{"Range", "bytes=0-1,4-5"}}, 200, wheel},
               {"backwards", "GET", {{"Range", "bytes=5-1"}}, 416, ""},
               {"if-range, same", "GET", {{"Range", "bytes=0-4"}, {"If-Range", etag}}, 206, wheel.substr(0, 5)},
               {"if-range, weak", "GET", {{"Range", "bytes=0-4"}, {"If-Range", "W/" + etag}}, 200, wheel},
               {"if-range, other", "GET", {{"Range", "bytes=0-4"}, {"If-Range", "\"a\""}}, 200, wheel},
               {"304 before 206", "GET", {{"Range", "bytes=0-4"}, {"If-None-Match", etag}}, 304, ""}});
}

TEST_F(Conditional, PagesAndListsAreAnsweredExactly) {
  for (const char* target : {"/pypi/simple/demo/", "/pypi/simple/"}) {
    const HttpResponse plain = mirror.get(target, {{"Accept", kJson}});
    const std::string etag(plain.headers.get("ETag"));
    check(target, {{"plain", "GET", {{"Accept", kJson}}, 200, plain.body},
                   {"head", "HEAD", {{"Accept", kJson}}, 200, ""},
                   {"same tag", "GET", {{"Accept", kJson}, {"If-None-Match", etag}}, 304, ""},
                   {"other tag", "GET", {{"Accept", kJson}, {"If-None-Match", "\"a\""}}, 200, plain.body},
                   {"no ranges of pages", "GET", {{"Accept", kJson}, {"Range", "bytes=0-4"}}, 200, plain.body}});
  }
}

TEST_F(Conditional, HeadHasTheFieldsOfGet) {
  for (const std::string& target :
       {std::string("/"), std::string("/healthz"), std::string("/metrics"), std::string("/pypi/simple/"),
        std::string("/pypi/simple/demo/"), path, path + ".metadata", std::string("/v2/"), std::string("/nothing")}) {
    const HttpResponse get = mirror.get(target), head = mirror.send("HEAD", target);
    EXPECT_EQ(head.status, get.status) << target;
    EXPECT_EQ(head.headers.get("Content-Type"), get.headers.get("Content-Type")) << target;
    EXPECT_EQ(head.body, "") << target;
  }
}

TEST_F(Conditional, ListsAreCompressedAndRenderedOncePerChange) {
  for (int i = 0; i < 200; ++i) {
    const std::string name = "project-" + std::to_string(i);
    upstream.set_page(name, json_page(name, {}), kJson);
    mirror.get("/pypi/simple/" + name + "/");
  }
  const HttpResponse plain = mirror.get("/pypi/simple/", {{"Accept", kJson}, {"Accept-Encoding", "identity"}});
  const HttpResponse packed = mirror.get("/pypi/simple/", {{"Accept", kJson}, {"Accept-Encoding", "gzip"}});
  EXPECT_EQ(packed.headers.get("Content-Encoding"), "gzip");
  EXPECT_LT(packed.body.size() * 4, plain.body.size());
  upstream.set_page("late", json_page("late", {}), kJson);
  mirror.get("/pypi/simple/late/");
  EXPECT_NE(mirror.get("/pypi/simple/", {{"Accept", kJson}}).body.find("\"late\""), std::string::npos);
}

TEST_F(Conditional, AnNginxInFrontIsToldWhereAFileIs) {
  const HttpResponse told = mirror.get(path, {{"X-Dae-Accel", "on"}});
  EXPECT_EQ(told.status, 200);
  EXPECT_EQ(told.body, "");
  EXPECT_EQ(told.headers.get("X-Accel-Redirect"), "/dae-blobs/" + sha256.substr(0, 2) + "/" + sha256);
  const HttpResponse same = mirror.get(path, {{"X-Dae-Accel", "on"}, {"If-None-Match", "\"" + sha256 + "\""}});
  EXPECT_EQ(same.status, 304);
  EXPECT_FALSE(same.headers.has("X-Accel-Redirect"));
  EXPECT_EQ(mirror.get(path).body, wheel);
}

}  // namespace
}  // namespace dae::mirror
