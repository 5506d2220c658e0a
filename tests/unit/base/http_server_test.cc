#include <gtest/gtest.h>

#include "http_server_fixture.h"

namespace dae {
namespace {

using test::HttpServerTest;
using test::pattern_bytes;
using test::RawClient;

TEST_F(HttpServerTest, AnswersSmallPagesWithLengthAndDate) {
  HttpResponse response = get("/hello");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(response.headers.get("Content-Length"), "5");
  EXPECT_EQ(response.headers.get("Server"), "dae");
  EXPECT_GT(parse_http_date(response.headers.get("Date")), 1'600'000'000'000);
}

TEST_F(HttpServerTest, DecodesCapturesAndQuery) {
  EXPECT_EQ(get("/echo/a%20b/c?q=1+2").body, "a b/c|1 2");
  EXPECT_EQ(get("/echo/").body, "|none");
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
  HttpResponse response = get("/file/big", {}, "HEAD");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.get("Content-Length"), "300000");
  EXPECT_EQ(response.headers.get("Accept-Ranges"), "bytes");
  EXPECT_TRUE(response.body.empty());
  EXPECT_EQ(get("/hello", {}, "HEAD").headers.get("Content-Length"), "5");
  EXPECT_EQ(get("/count/3", {}, "HEAD").status, 200);
}

TEST_F(HttpServerTest, SendsFilesOfAnySize) {
  EXPECT_EQ(get("/file/big").body, bytes_);
  EXPECT_EQ(get("/file/small").body, "0123456789");
  HttpResponse empty = get("/file/empty");
  EXPECT_EQ(empty.status, 200);
  EXPECT_EQ(empty.headers.get("Content-Length"), "0");
  EXPECT_EQ(get("/file/absent").status, 404);
  EXPECT_EQ(get("/file/spool").status, 404);
}

TEST_F(HttpServerTest, SendsTheRangeThatIsAskedFor) {
  HttpResponse part = get("/file/big", {{"Range", "bytes=1000-250000"}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.headers.get("Content-Range"), "bytes 1000-250000/300000");
  EXPECT_EQ(part.body, bytes_.substr(1000, 249'001));
  EXPECT_EQ(get("/file/big", {{"Range", "bytes=-7"}}).body, bytes_.substr(299'993));
  EXPECT_EQ(get("/file/small", {{"Range", "bytes=8-"}}).body, "89");
  HttpResponse beyond = get("/file/small", {{"Range", "bytes=10-"}});
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond.headers.get("Content-Range"), "bytes */10");
  EXPECT_EQ(get("/file/small", {{"Range", "bytes=0-1,3-4"}}).status, 200);
}

TEST_F(HttpServerTest, HonoursIfRange) {
  std::string etag(get("/file/small").headers.get("ETag"));
  EXPECT_EQ(get("/file/small", {{"Range", "bytes=5-"}, {"If-Range", etag}}).status, 206);
  HttpResponse changed = get("/file/small", {{"Range", "bytes=5-"}, {"If-Range", "\"other\""}});
  EXPECT_EQ(changed.status, 200);
  EXPECT_EQ(changed.body, "0123456789");
}

TEST_F(HttpServerTest, SaysNotModifiedForFilesAndBodies) {
  HttpResponse file = get("/file/small");
  HttpResponse again = get("/file/small", {{"If-None-Match", std::string(file.headers.get("ETag"))}});
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.headers.get("ETag"), file.headers.get("ETag"));
  EXPECT_EQ(again.headers.get("Cache-Control"), "max-age=60");
  EXPECT_EQ(get("/file/small", {{"If-Modified-Since", std::string(file.headers.get("Last-Modified"))}}).status, 304);
  HttpResponse page = get("/page", {{"If-None-Match", "\"x\", W/\"p1\""}});
  EXPECT_EQ(page.status, 304);
  EXPECT_EQ(page.headers.get("Vary"), "Accept");
  EXPECT_FALSE(page.headers.has("Content-Type"));
  EXPECT_EQ(get("/page", {{"If-None-Match", "\"p1\""}}, "HEAD").status, 304);
  EXPECT_EQ(get("/page", {{"If-None-Match", "\"p2\""}}).status, 200);
}

TEST_F(HttpServerTest, TurnsErrorsIntoProblemDocuments) {
  HttpResponse response = get("/fail/missing");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.headers.get("Content-Type"), "application/problem+json");
  Document problem = parse_json(response.body, "problem");
  EXPECT_EQ(problem.root.get_string("hint"), "look elsewhere");
  EXPECT_EQ(problem.root.get_string("kind"), "not_found");
  EXPECT_EQ(get("/fail/refused").status, 409);
}

TEST_F(HttpServerTest, KeepsTheDetailsOfABrokenHandlerToItself) {
  HttpResponse response = get("/fail/std");
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body.find("inner detail"), std::string::npos);
}

TEST_F(HttpServerTest, NeverLetsAValueSplitTheAnswer) {
  HttpResponse response = get("/split");
  EXPECT_EQ(response.status, 500);
  EXPECT_FALSE(response.headers.has("Set-Cookie"));
}

TEST_F(HttpServerTest, TellsUnknownPathsFromWrongMethods) {
  EXPECT_EQ(get("/nowhere").status, 404);
  HttpResponse wrong = get("/hello", {}, "DELETE");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.headers.get("Allow"), "GET, HEAD");
  EXPECT_EQ(get("/echo/%2e%2e/x").status, 400);
  EXPECT_EQ(get("/echo/a%00b").status, 400);
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  RawClient client = raw();
  std::string asked;
  for (const char* path : {"/echo/1", "/nowhere", "/file/small", "/count/1", "/echo/2"}) {
    asked += std::string("GET ") + path + " HTTP/1.1\r\nHost: h\r\n\r\n";
  }
  std::string answer = client.ask(asked + "GET /echo/3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  size_t at = 0;
  for (const char* expected : {"1|none", "404 Not Found", "0123456789", "line 0", "2|none", "3|none"}) {
    size_t found = answer.find(expected, at);
    ASSERT_NE(found, std::string::npos) << expected << "\n" << answer;
    at = found;
  }
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpServerTest, SurvivesAFloodOfPipelinedMisses) {
  RawClient client = raw();
  std::string asked;
  for (int i = 0; i < 3000; ++i) asked += "GET /x HTTP/1.1\r\nHost:h\r\n\r\n";
  std::thread sender([&] { client.say(asked + "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); });
  std::string answer = client.hear();
  sender.join();
  EXPECT_TRUE(answer.ends_with("hello"));
}

TEST_F(HttpServerTest, SpeaksHttp10) {
  std::string answer = raw().ask("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\nhello"));
  std::string stream = raw().ask("GET /count/2 HTTP/1.0\r\n\r\n");
  EXPECT_EQ(stream.find("chunked"), std::string::npos);
  EXPECT_TRUE(stream.ends_with("\r\n\r\nline 0\nline 1\n"));
  RawClient kept = raw();
  kept.say("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_NE(kept.hear("hello").find("Connection: keep-alive\r\n"), std::string::npos);
}

TEST_F(HttpServerTest, RefusesAmbiguousAndMalformedRequests) {
  const std::pair<const char*, const char*> kBad[] = {
      {"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", "400"},
      {"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "400"},
      {"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc", "400"},
      {"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc", "400"},
      {"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\nabc", "400"},
      {"POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
      {"POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"},
      {"POST /upload HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
      {"GET /hello HTTP/1.1\r\n\r\n", "400"},
      {"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"GET /hello HTTP/1.1\r\nHost: h\r\nX y: 1\r\n\r\n", "400"},
      {"GET /hello HTTP/1.1\r\nHost: h\r\nX : 1\r\n\r\n", "400"},
      {"GET  /hello HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
      {"GET /hello HTTP/1.1\nHost: h\n\n\r\n\r\n", "400"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"},
      {"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
      {"\x16\x03\x01\x02garbage that is no HTTP\r\n\r\n", "400"},
      {"GET /hello HTTP/1.1\r\nHost: h\r\nExpect: a-pony\r\n\r\n", "417"},
  };
  for (const auto& [request, status] : kBad) {
    RawClient client = raw();
    client.say(request);
    std::string answer = client.hear("\r\n\r\n");
    EXPECT_EQ(answer.substr(0, 12), std::string("HTTP/1.1 ") + status) << request << "\n" << answer;
  }
  EXPECT_EQ(uploads_, 0);
  EXPECT_EQ(get("/hello").status, 200);
}

TEST_F(HttpServerTest, LimitsTheHeader) {
  std::string answer = raw().ask("GET /hello HTTP/1.1\r\nHost: h\r\nX: " + std::string(40'000, 'a') + "\r\n\r\n");
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 431");
  std::string fits = get("/hello", {{"X", std::string(20'000, 'a')}}).body;
  EXPECT_EQ(fits, "hello");
}

TEST_F(HttpServerTest, LimitsChunkExtensionsAndTrailers) {
  std::string head = "POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  RawClient extension = raw();
  extension.say(head + "3;x=" + std::string(200'000, 'a'));
  EXPECT_EQ(extension.hear("\r\n").substr(0, 10), "HTTP/1.1 4");
  std::string answer = raw().ask(head + "3\r\nabc\r\n0\r\nConnection: close\r\nX: y\r\n\r\n");
  EXPECT_NE(answer.find(Digest::of("abc").hex()), std::string::npos) << answer;
}

TEST_F(HttpServerTest, RefusesALargeBodyBeforeItIsSent) {
  RawClient client = raw();
  client.say("POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.hear("\r\n\r\n").substr(0, 12), "HTTP/1.1 413");
  EXPECT_EQ(uploads_, 0);
}

TEST_F(HttpServerTest, RefusesALargeChunkedBodyWhileItArrives) {
  RawClient client = raw();
  std::string chunk = "12c\r\n" + std::string(300, 'a') + "\r\n";
  client.say("POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk + chunk + chunk);
  EXPECT_EQ(client.hear("\r\n\r\n").substr(0, 12), "HTTP/1.1 413");
  EXPECT_EQ(uploads_, 0);
}

TEST_F(HttpServerTest, AnswerToARefusedUploadReachesAClientThatIsStillSending) {
  HttpRequest request;
  request.method = "POST";
  request.url = url("/upload");
  request.body = std::string(8 << 20, 'x');
  EXPECT_EQ(client_->send(std::move(request)).status, 413);
}

TEST_F(HttpServerTest, InvitesTheBodyWhenTheClientWaits) {
  RawClient client = raw();
  client.say("POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.hear("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.say("abc");
  EXPECT_NE(client.hear(Digest::of("abc").hex()).find("201 Created"), std::string::npos);
}

TEST_F(HttpServerTest, ReadsChunkedBodiesInAnyCut) {
  RawClient client = raw();
  for (char c : std::string("POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "4\r\nWiki\r\n5;a=b\r\npedia\r\n0\r\n\r\n")) {
    client.say({&c, 1});
  }
  EXPECT_NE(client.hear(Digest::of("Wikipedia").hex()).find("201 Created"), std::string::npos);
}

TEST_F(HttpServerTest, SpoolsBodiesToAFileThatGoesAfterwards) {
  HttpRequest request;
  request.method = "PUT";
  request.url = url("/spool");
  request.body = pattern_bytes(20 << 20);  // so much goes to the disk while it comes
  std::string expected = Digest::of(request.body).hex();
  HttpResponse response = client_->send(std::move(request));
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.body.substr(0, 64), expected);
  EXPECT_FALSE(exists(response.body.substr(65)));
}

TEST_F(HttpServerTest, LeavesNothingOfABrokenUpload) {
  {
    RawClient client = raw();
    client.say("PUT /spool HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nonly this");
    for (int i = 0; i < 500 && list_dir(dir_.path() / "spool").empty(); ++i) SystemClock().sleep_ms(2);
    EXPECT_EQ(list_dir(dir_.path() / "spool").size(), 1u);
  }
  for (int i = 0; i < 500 && !list_dir(dir_.path() / "spool").empty(); ++i) SystemClock().sleep_ms(2);
  EXPECT_TRUE(list_dir(dir_.path() / "spool").empty());
}

}  // namespace
}  // namespace dae
