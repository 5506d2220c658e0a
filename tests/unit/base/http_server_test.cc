#include "base/http_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/http_client.h"
#include "base/value.h"
#include "http_test_support.h"

namespace dae {
namespace {

using test::RawClient;
using test::small_server;

std::string pattern_bytes(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 131 + i / 251) & 0xff);
  return bytes;
}

Route route(std::string method, std::string pattern, std::function<ServerResponse(const ServerRequest&)> handle) {
  Route out;
  out.method = std::move(method);
  out.pattern = std::move(pattern);
  out.handle = std::move(handle);
  return out;
}

// Small pages of every kind, and one file of 300 000 bytes.
class HttpServerTest : public ::testing::Test {
 protected:
  void start(ServerOptions options) {
    bytes_ = pattern_bytes(300'000);
    write_file_atomic(dir_.path() / "big", bytes_, 0644, Durability::none);
    write_file_atomic(dir_.path() / "small", "0123456789", 0644, Durability::none);
    write_file_atomic(dir_.path() / "empty", "", 0644, Durability::none);
    options.spool_dir = dir_.path() / "spool";
    make_dirs(options.spool_dir);
    server_ = start_http_server(std::move(options), routes());
  }
  void SetUp() override { start(small_server()); }

  std::vector<Route> routes() {
    std::vector<Route> out;
    out.push_back(route("GET", "/hello", [](const ServerRequest&) { return ServerResponse::text(200, "hello"); }));
    out.push_back(route("GET", "/echo/{*}", [](const ServerRequest& request) {
      return ServerResponse::text(200, request.captures[0] + "|" + request.query_value("q", "none"));
    }));
    out.push_back(route("GET", "/file/{}", [this](const ServerRequest& request) {
      ServerResponse response;
      response.file = dir_.path() / request.captures[0];
      response.headers.add("Cache-Control", "max-age=60");
      return response;
    }));
    out.push_back(route("GET", "/page", [](const ServerRequest&) {
      ServerResponse response = ServerResponse::text(200, "a page", "text/html");
      response.etag = "p1";
      response.headers.add("Vary", "Accept");
      return response;
    }));
    out.push_back(route("GET", "/fail/{}", [](const ServerRequest& request) -> ServerResponse {
      if (request.captures[0] == "std") throw std::runtime_error("inner detail");
      ErrorKind kind = request.captures[0] == "refused" ? ErrorKind::refused : ErrorKind::not_found;
      throw Error(kind, "no such thing", "thing", "look elsewhere");
    }));
    out.push_back(route("GET", "/split", [](const ServerRequest&) {
      ServerResponse response = ServerResponse::text(200, "x");
      response.headers.add("X-Name", "a\r\nSet-Cookie: b");
      return response;
    }));
    out.push_back(route("GET", "/wait", [this](const ServerRequest& request) {
      ++waiting_;
      for (int i = 0; i < 400 && !release_ && !(heed_cancel_ && request.cancelled()); ++i) SystemClock().sleep_ms(5);
      return ServerResponse::text(200, request.cancelled() ? "cancelled" : "waited");
    }));
    out.push_back(route("GET", "/count/{}", [](const ServerRequest& request) {
      ServerResponse response;
      int count = std::stoi(request.captures[0]);
      response.stream = [count](const std::function<bool(std::string_view)>& write) {
        for (int i = 0; i < count && write("line " + std::to_string(i) + "\n"); ++i) {
        }
      };
      return response;
    }));
    out.push_back(route("GET", "/events", [this](const ServerRequest&) {
      ServerResponse response;
      response.headers.add("Content-Type", "text/event-stream");
      response.stream = [this](const std::function<bool(std::string_view)>& write) {
        while (write("data: tick\n\n")) SystemClock().sleep_ms(2);
        ++streams_ended_;
      };
      return response;
    }));
    out.push_back(route("GET", "/flood", [this](const ServerRequest&) {
      ServerResponse response;
      response.stream = [this](const std::function<bool(std::string_view)>& write) {
        while (write(std::string(100'000, 'x'))) {
        }
        ++streams_ended_;
      };
      return response;
    }));
    Route upload = route("POST", "/upload", [this](const ServerRequest& request) {
      ++uploads_;
      return ServerResponse::text(201, Digest::of(request.body).hex());
    });
    upload.body_limit_bytes = 1000;
    out.push_back(upload);
    Route spool = route("PUT", "/spool", [](const ServerRequest& request) {
      EXPECT_TRUE(request.body.empty());
      return ServerResponse::text(200, sha256_file(request.body_file).hex() + " " + request.body_file.string());
    });
    spool.spool_body = true;
    spool.body_limit_bytes = 64 << 20;
    out.push_back(spool);
    return out;
  }

  std::string url(std::string_view path) const { return server_->url() + std::string(path); }
  HttpResponse get(std::string_view path, Headers headers = {}, std::string method = "GET") {
    HttpRequest request;
    request.method = std::move(method);
    request.url = url(path);
    request.headers = std::move(headers);
    request.retries = 0;
    return client_->send(std::move(request));
  }
  RawClient raw() const { return RawClient(server_->port()); }
  void wait_for_waiting(int count) {
    for (int i = 0; i < 1000 && waiting_ < count; ++i) SystemClock().sleep_ms(2);
    ASSERT_EQ(waiting_, count);
  }

  TempDir dir_;
  std::string bytes_;
  std::atomic<int> waiting_{0}, streams_ended_{0}, uploads_{0};
  std::atomic<bool> release_{false}, heed_cancel_{true};
  std::unique_ptr<Transport> client_ = make_http_client();
  std::unique_ptr<HttpServer> server_;
};

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
  request.body = pattern_bytes(5 << 20);
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

TEST_F(HttpServerTest, StreamsInChunks) {
  HttpResponse response = get("/count/500");
  EXPECT_EQ(response.headers.get("Transfer-Encoding"), "chunked");
  EXPECT_TRUE(response.body.ends_with("line 499\n"));
  EXPECT_EQ(get("/hello").body, "hello");
}

TEST_F(HttpServerTest, TellsAStreamThatItsClientIsGone) {
  RawClient client = raw();
  client.say("GET /flood HTTP/1.1\r\nHost: h\r\n\r\n");
  client.hear("\r\n\r\n");
  client.hang_up();
  for (int i = 0; i < 1000 && streams_ended_ == 0; ++i) SystemClock().sleep_ms(2);
  EXPECT_EQ(streams_ended_, 1);
}

TEST_F(HttpServerTest, TellsAWaitingHandlerThatItsClientIsGone) {
  RawClient client = raw();
  client.say("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  wait_for_waiting(1);
  client.hang_up();
  int64_t begun_ms = SystemClock().monotonic_ms();
  server_->drain(1500);
  EXPECT_LT(SystemClock().monotonic_ms() - begun_ms, 1000);
}

TEST_F(HttpServerTest, AnswersOthersWhileLongPollsWait) {
  std::vector<std::future<HttpResponse>> polls;
  for (int i = 0; i < 3; ++i) {
    HttpRequest request;
    request.url = url("/wait");
    polls.push_back(client_->send_async(std::move(request)));
  }
  wait_for_waiting(3);
  EXPECT_EQ(get("/hello").body, "hello");
  release_ = true;
  for (auto& poll : polls) EXPECT_EQ(poll.get().body, "waited");
}

TEST_F(HttpServerTest, DrainLetsARequestInFlightEnd) {
  heed_cancel_ = false;
  HttpRequest request;
  request.url = url("/wait");
  auto answer = client_->send_async(std::move(request));
  wait_for_waiting(1);
  RawClient idle = raw();
  idle.say("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  idle.hear("hello");
  std::thread drainer([this] { server_->drain(3000); });
  EXPECT_EQ(idle.hear(), "");
  EXPECT_TRUE(idle.closed());
  EXPECT_FALSE(raw().connected());
  release_ = true;
  HttpResponse response = answer.get();
  drainer.join();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.get("Connection"), "close");
}

TEST_F(HttpServerTest, DrainWakesLongPollsThatAskWhetherTheyAreCancelled) {
  HttpRequest request;
  request.url = url("/wait");
  auto answer = client_->send_async(std::move(request));
  wait_for_waiting(1);
  server_->drain(3000);
  EXPECT_EQ(answer.get().body, "cancelled");
}

TEST_F(HttpServerTest, DrainEndsEventStreamsAtOnce) {
  RawClient client = raw();
  client.say("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
  client.hear("tick");
  int64_t begun_ms = SystemClock().monotonic_ms();
  server_->drain(3000);
  EXPECT_LT(SystemClock().monotonic_ms() - begun_ms, 1000);
  EXPECT_TRUE(client.hear().ends_with("0\r\n\r\n"));
  EXPECT_EQ(streams_ended_, 1);
}

TEST_F(HttpServerTest, DrainClosesWhatDoesNotEndInItsGrace) {
  RawClient client = raw();
  client.say("GET /flood HTTP/1.1\r\nHost: h\r\n\r\n");
  client.hear("\r\n\r\n");
  RawClient half = raw();
  half.say("POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  server_->drain(100);
  for (int i = 0; i < 1000 && streams_ended_ == 0; ++i) SystemClock().sleep_ms(2);
  EXPECT_EQ(streams_ended_, 1);
  half.hear();
  EXPECT_TRUE(half.closed());
}

TEST_F(HttpServerTest, ManyClientsAtOnceAreAllAnswered) {
  std::vector<std::future<HttpResponse>> answers;
  for (int i = 0; i < 200; ++i) {
    HttpRequest request;
    request.url = url(i % 5 == 0 ? "/file/big" : "/echo/" + std::to_string(i));
    answers.push_back(client_->send_async(std::move(request)));
  }
  for (size_t i = 0; i < answers.size(); ++i) {
    std::string expected = i % 5 == 0 ? bytes_ : std::to_string(i) + "|none";
    EXPECT_TRUE(answers[i].get().body == expected) << i;
  }
}

TEST_F(HttpServerTest, ASlowReaderHoldsUpNobody) {
  RawClient slow = raw();
  std::string asked;
  for (int i = 0; i < 30; ++i) asked += "GET /file/big HTTP/1.1\r\nHost: h\r\n\r\n";
  slow.say(asked + "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get("/hello").body, "hello");
  std::string all = slow.hear();
  EXPECT_GT(all.size(), 30 * bytes_.size());
  EXPECT_TRUE(all.ends_with("hello"));
}

class HttpServerLimitsTest : public HttpServerTest {
 protected:
  void SetUp() override {}
};

TEST_F(HttpServerLimitsTest, GivesUpOnSlowHeadersAndIdleConnections) {
  ServerOptions options = small_server();
  options.header_timeout_ms = 80;
  options.idle_timeout_ms = 120;
  start(options);
  RawClient slow = raw(), silent = raw(), idle = raw(), body = raw();
  slow.say("GET /hello HTTP/1.1\r\nHo");
  body.say("POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
  idle.say("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(idle.hear("hello").find("200 OK"), std::string::npos);
  EXPECT_EQ(slow.hear().substr(0, 12), "HTTP/1.1 408");
  EXPECT_EQ(body.hear().substr(0, 12), "HTTP/1.1 408");
  EXPECT_EQ(silent.hear(), "");
  EXPECT_EQ(idle.hear(), "");
  EXPECT_TRUE(slow.closed() && silent.closed() && idle.closed() && body.closed());
}

TEST_F(HttpServerLimitsTest, TurnsAwayMoreConnectionsThanItMayHold) {
  ServerOptions options = small_server();
  options.max_connections = 2;
  start(options);
  RawClient first = raw(), second = raw();
  for (RawClient* client : {&first, &second}) {
    client->say("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    client->hear("hello");
  }
  EXPECT_EQ(raw().hear().substr(0, 12), "HTTP/1.1 503");
  first.hang_up();
  for (int i = 0; i < 500; ++i) {
    if (raw().ask("GET /hello HTTP/1.0\r\n\r\n").ends_with("hello")) return;
    SystemClock().sleep_ms(2);
  }
  FAIL() << "no room after one left";
}

TEST_F(HttpServerLimitsTest, ReportsEachAnswerOnce) {
  ServerOptions options = small_server();
  std::mutex mutex;
  std::vector<std::string> lines;
  options.on_access = [&](const ServerRequest& request, int status, uint64_t size_bytes, int64_t) {
    std::lock_guard lock(mutex);
    lines.push_back(request.method + " " + request.path + " " + std::to_string(status) + " " +
                    std::to_string(size_bytes));
  };
  start(options);
  get("/hello");
  get("/file/big", {{"Range", "bytes=0-99999"}});
  get("/count/2");
  get("/nowhere", {}, "HEAD");
  server_.reset();
  std::vector<std::string> expected{"GET /hello 200 5", "GET /file/big 206 100000", "GET /count/2 200 14",
                                    "HEAD /nowhere 404 0"};
  EXPECT_EQ(lines, expected);
}

TEST_F(HttpServerLimitsTest, NamesAPortThatIsTaken) {
  start(small_server());
  ServerOptions options = small_server();
  options.port = server_->port();
  try {
    start_http_server(options, {});
    FAIL() << "listened twice";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::refused);
    EXPECT_EQ(error.subject(), "127.0.0.1:" + std::to_string(server_->port()));
    EXPECT_FALSE(error.hint().empty());
  }
  options.address = "no-address";
  EXPECT_THROW(start_http_server(options, {}), Error);
}

TEST_F(HttpServerLimitsTest, ListensOnAUnixSocketAndTakesOverAStaleOne) {
  ServerOptions options = small_server();
  options.unix_socket = dir_.path() / "http.sock";
  auto ask = [&] {
    HttpRequest request;
    request.url = "http://localhost/file/big";
    request.unix_socket = options.unix_socket;
    return make_http_client()->send(std::move(request)).body;
  };
  start(options);
  EXPECT_EQ(ask(), bytes_);
  EXPECT_THROW(start_http_server(options, {}), Error);
  server_.reset();
  EXPECT_FALSE(exists(options.unix_socket));
  {
    // What a killed server leaves: a socket file that nobody listens on.
    Fd stale(socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    options.unix_socket.native().copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(stale.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ASSERT_TRUE(exists(options.unix_socket));
  start(options);
  EXPECT_EQ(ask(), bytes_);
}

}  // namespace
}  // namespace dae
