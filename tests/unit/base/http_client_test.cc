#include "base/http_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/http_server.h"
#include "base/http_transfer.h"
#include "base/strings.h"
#include "http_test_support.h"

namespace dae {
namespace {

using test::RawServer;
using test::small_server;

Route route(std::string method, std::string pattern, std::function<ServerResponse(const ServerRequest&)> handle) {
  Route out;
  out.method = std::move(method);
  out.pattern = std::move(pattern);
  out.handle = std::move(handle);
  return out;
}

std::string ok_answer(std::string_view body, std::string_view more = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n" +
         std::string(more) + "\r\n" + std::string(body);
}

HttpRequest to(std::string url, std::string method = "GET") {
  HttpRequest request;
  request.method = std::move(method);
  request.url = std::move(url);
  return request;
}

// The Error that `call` throws; a test failure when it throws none.
template <typename Call>
Error error_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorKind::failed, "nothing was thrown");
}

class HttpClientTest : public ::testing::Test {
 protected:
  HttpClientTest() {
    HttpClientOptions options;
    options.retry_base_ms = 5;
    client_ = make_http_client(options);
    server_ = start_http_server(small_server(), routes());
  }

  std::vector<Route> routes() {
    std::vector<Route> out;
    out.push_back(route("GET", "/show", [](const ServerRequest& request) {
      std::string text;
      for (const auto& [name, value] : request.headers.fields()) text += name + ": " + value + "\n";
      return ServerResponse::text(200, text);
    }));
    out.push_back(route("GET", "/remote",
                        [](const ServerRequest& request) { return ServerResponse::text(200, request.remote); }));
    for (const char* method : {"POST", "PUT", "PATCH", "DELETE"}) {
      Route echo = route(method, "/echo", [](const ServerRequest& request) {
        return ServerResponse::text(
            200, request.method + " " + std::string(request.headers.get("Content-Type")) + " " + request.body);
      });
      echo.body_limit_bytes = 16 << 20;
      out.push_back(echo);
    }
    for (const char* method : {"GET", "POST", "PUT"}) {
      out.push_back(route(method, "/jump", [](const ServerRequest& request) {
        ServerResponse response = ServerResponse::text(std::stoi(request.query_value("status", "302")), "elsewhere");
        response.headers.add("Location", request.query_value("to"));
        return response;
      }));
    }
    for (const char* method : {"GET", "POST"}) {
      out.push_back(route(method, "/flaky", [this](const ServerRequest& request) {
        if (++flaky_ >= std::stoi(request.query_value("good", "3"))) return ServerResponse::text(200, "at last");
        ServerResponse response = ServerResponse::text(std::stoi(request.query_value("status", "503")), "not yet");
        if (request.query_value("after") != "") response.headers.add("Retry-After", request.query_value("after"));
        return response;
      }));
    }
    out.push_back(route("GET", "/size/{}", [](const ServerRequest& request) {
      ServerResponse response;
      int size = std::stoi(request.captures[0]);
      response.stream = [size](const std::function<bool(std::string_view)>& write) {
        for (int left = size; left > 0; left -= 1000)
          write(std::string(static_cast<size_t>(std::min(left, 1000)), 'x'));
      };
      return response;
    }));
    return out;
  }

  std::string url(std::string_view path) const { return server_->url() + std::string(path); }
  HttpResponse get(std::string_view path) { return client_->send(to(url(path))); }

  TempDir dir_;
  std::atomic<int> flaky_{0};
  std::unique_ptr<Transport> client_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpClientTest, SendsWhatTheRequestSays) {
  HttpRequest request = to(url("/show"));
  request.headers = {{"X-Empty", ""}, {"Accept", "text/html"}};
  request.bearer_token = "t0ken";
  std::string seen = client_->send(request).body;
  EXPECT_NE(seen.find("Authorization: Bearer t0ken\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("X-Empty: \n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("Accept: text/html\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("Accept-Encoding: gzip, deflate\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("User-Agent: dae/"), std::string::npos) << seen;
  EXPECT_EQ(seen.find("Content-Type"), std::string::npos) << seen;
}

TEST_F(HttpClientTest, AsksForIdentityWithARange) {
  HttpRequest request = to(url("/show"));
  request.headers = {{"Range", "bytes=0-1"}};
  EXPECT_NE(client_->send(request).body.find("Accept-Encoding: identity\n"), std::string::npos);
}

TEST_F(HttpClientTest, SendsBodiesWithEveryMethodThatHasOne) {
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE"}) {
    HttpRequest request = to(url("/echo"), method);
    request.body = "payload";
    request.headers = {{"Content-Type", "text/x"}};
    EXPECT_EQ(client_->send(request).body, std::string(method) + " text/x payload");
  }
  EXPECT_EQ(client_->send(to(url("/echo"), "POST")).body, "POST  ");
  EXPECT_EQ(client_->send(to(url("/echo"), "PUT")).body, "PUT  ");
  EXPECT_EQ(client_->send(to(url("/echo"), "DELETE")).body, "DELETE  ");
}

TEST_F(HttpClientTest, StreamsABodyFromAFile) {
  std::string bytes(3 << 20, 'q');
  write_file_atomic(dir_.path() / "body", bytes, 0644, Durability::none);
  for (const char* method : {"POST", "PUT"}) {
    HttpRequest request = to(url("/echo"), method);
    request.body_file = dir_.path() / "body";
    EXPECT_TRUE(client_->send(request).body == std::string(method) + "  " + bytes);
  }
  HttpRequest request = to(url("/echo"), "PUT");
  request.body_file = dir_.path() / "absent";
  EXPECT_EQ(error_of([&] { client_->send(request); }).kind(), ErrorKind::not_found);
}

TEST_F(HttpClientTest, ReusesItsConnections) {
  std::set<std::string> remotes;
  for (int i = 0; i < 10; ++i) remotes.insert(get("/remote").body);
  EXPECT_EQ(remotes.size(), 1u);
}

TEST_F(HttpClientTest, OpensNoMoreConnectionsToAHostThanAllowed) {
  HttpClientOptions options;
  options.max_per_host = 3;
  auto client = make_http_client(options);
  std::vector<std::future<HttpResponse>> answers;
  for (int i = 0; i < 60; ++i) answers.push_back(client->send_async(to(url("/remote"))));
  std::set<std::string> remotes;
  for (auto& answer : answers) remotes.insert(answer.get().body);
  EXPECT_LE(remotes.size(), 3u);
}

TEST_F(HttpClientTest, SendsFromManyThreads) {
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 25; ++k) good += get("/remote").ok();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 200);
}

TEST_F(HttpClientTest, GivesAnyStatusAsAnAnswer) {
  HttpResponse response = get("/nowhere");
  EXPECT_EQ(response.status, 404);
  EXPECT_FALSE(response.ok());
  EXPECT_NE(response.body.find("nothing is here"), std::string::npos);
  EXPECT_EQ(response.effective_url, url("/nowhere"));
}

TEST_F(HttpClientTest, RetriesUntilTheServerIsReady) {
  HttpRequest request = to(url("/flaky"));
  std::vector<int> statuses;
  std::string body;
  request.on_headers = [&](int status, const Headers&) { statuses.push_back(status); };
  request.on_body = [&](std::string_view piece) { body += piece; };
  EXPECT_EQ(client_->send(request).status, 200);
  EXPECT_EQ(body, "at last");
  EXPECT_EQ(statuses, std::vector<int>{200});
  EXPECT_EQ(flaky_, 3);
}

TEST_F(HttpClientTest, GivesTheLastAnswerWhenRetriesAreUsedUp) {
  HttpRequest request = to(url("/flaky?good=9"));
  request.retries = 2;
  HttpResponse response = client_->send(request);
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body, "not yet");
  EXPECT_EQ(flaky_, 3);
}

TEST_F(HttpClientTest, WaitsAsLongAsRetryAfterSays) {
  int64_t begun_ms = SystemClock().monotonic_ms();
  EXPECT_EQ(get("/flaky?good=2&status=429&after=1").status, 200);
  EXPECT_GE(SystemClock().monotonic_ms() - begun_ms, 990);
}

TEST_F(HttpClientTest, DoesNotWaitForAServerThatWantsAnHour) {
  EXPECT_EQ(get("/flaky?good=2&after=3600").status, 503);
  EXPECT_EQ(flaky_, 1);
}

TEST_F(HttpClientTest, DoesNotStartAPauseThatOutlivesTheDeadline) {
  HttpRequest request = to(url("/flaky?good=2&after=5"));
  request.timeout_ms = 500;
  EXPECT_EQ(client_->send(request).status, 503);
}

TEST_F(HttpClientTest, NeverRepeatsAPost) {
  EXPECT_EQ(client_->send(to(url("/flaky"), "POST")).status, 503);
  EXPECT_EQ(flaky_, 1);
}

TEST_F(HttpClientTest, RetriesABrokenAnswer) {
  RawServer broken({"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", ok_answer("whole")});
  EXPECT_EQ(client_->send(to(broken.url())).body, "whole");
}

TEST_F(HttpClientTest, SaysWhenAStreamedAnswerBeginsAgain) {
  RawServer broken({"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", ok_answer("whole")});
  std::string log;
  HttpRequest request = to(broken.url());
  request.on_body = [&](std::string_view piece) { log += piece; };
  request.on_restart = [&] { log += "|again|"; };
  client_->send(request);
  EXPECT_EQ(log, "half|again|whole");
}

TEST_F(HttpClientTest, DoesNotRepeatAStreamThatCannotBeginAgain) {
  RawServer broken({"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", ok_answer("whole")});
  HttpRequest request = to(broken.url());
  request.on_body = [](std::string_view) {};
  EXPECT_EQ(error_of([&] { client_->send(request); }).kind(), ErrorKind::network);
  EXPECT_EQ(broken.requests().size(), 1u);
  client_->send(to(broken.url()));
}

TEST_F(HttpClientTest, FollowsRedirectsOnTheSameHostWithItsToken) {
  HttpRequest request = to(url("/jump?to=/show"));
  request.bearer_token = "t0ken";
  HttpResponse response = client_->send(request);
  EXPECT_NE(response.body.find("Bearer t0ken"), std::string::npos);
  EXPECT_EQ(response.effective_url, url("/show"));
  request.follow_redirects = false;
  response = client_->send(request);
  EXPECT_EQ(response.status, 302);
  EXPECT_EQ(response.headers.get("Location"), "/show");
}

TEST_F(HttpClientTest, DropsCredentialsOnTheWayToAnotherHost) {
  auto other = start_http_server(small_server(), routes());
  HttpRequest request = to(url("/jump?to=" + percent_encode(other->url() + "/show")));
  request.bearer_token = "t0ken";
  request.headers.add("Cookie", "session=1");
  HttpResponse response = client_->send(request);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body.find("t0ken"), std::string::npos) << response.body;
  EXPECT_EQ(response.body.find("session"), std::string::npos) << response.body;
}

TEST_F(HttpClientTest, KeepsMethodAndBodyWhereARedirectSaysSo) {
  HttpRequest put = to(url("/jump?status=301&to=/echo"), "PUT");
  put.body = "payload";
  EXPECT_EQ(client_->send(put).body, "PUT  payload");
  HttpRequest post = to(url("/jump?status=307&to=/echo"), "POST");
  post.body = "payload";
  EXPECT_EQ(client_->send(post).body, "POST  payload");
  write_file_atomic(dir_.path() / "body", "from a file", 0644, Durability::none);
  post.body_file = dir_.path() / "body";
  EXPECT_EQ(client_->send(post).body, "POST  from a file");
}

TEST_F(HttpClientTest, FollowsNoOtherProtocolAndNoCircle) {
  HttpRequest request = to(url("/jump?to=file:///etc/hostname"));
  Error error = error_of([&] { client_->send(request); });
  EXPECT_EQ(error.kind(), ErrorKind::network);
  EXPECT_EQ(error.message(), "refused to follow a redirect");
  RawServer circle(std::vector<std::string>(
      11, "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
  EXPECT_EQ(error_of([&] { client_->send(to(circle.url())); }).message(), "too many redirects");
}

TEST_F(HttpClientTest, StopsAtTheBodyLimit) {
  HttpRequest request = to(url("/size/100000"));
  request.body_limit_bytes = 5000;
  EXPECT_EQ(error_of([&] { client_->send(request); }).kind(), ErrorKind::bad_input);
  request.body_limit_bytes = 100000;
  EXPECT_EQ(client_->send(request).body.size(), 100000u);
}

TEST_F(HttpClientTest, CountsDecodedBytesAgainstTheLimit) {
  static constexpr unsigned char kGzipHeader[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03};
  std::string packed(reinterpret_cast<const char*>(kGzipHeader), sizeof kGzipHeader);
  // A stored block keeps the fixture readable; the check sum behind it is never reached.
  packed += std::string("\x00\xff\xff\x00\x00", 5) + std::string(65535, '\0');
  RawServer server({ok_answer(packed, "Content-Encoding: gzip\r\n")});
  HttpRequest request = to(server.url());
  request.body_limit_bytes = 60'000;
  EXPECT_EQ(error_of([&] { client_->send(request); }).kind(), ErrorKind::bad_input);
}

TEST_F(HttpClientTest, DecodesGzipAndDropsWhatDescribedTheEncodedBytes) {
  static constexpr unsigned char kHello[] = {0x1f, 0x8b, 8, 0, 0,    0,    0,    0,    2, 3, 0xcb, 0x48, 0xcd,
                                             0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0,    0};
  RawServer server({ok_answer({reinterpret_cast<const char*>(kHello), sizeof kHello}, "Content-Encoding: gzip\r\n")});
  HttpResponse response = client_->send(to(server.url()));
  EXPECT_EQ(response.body, "hello");
  EXPECT_FALSE(response.headers.has("Content-Encoding"));
  EXPECT_FALSE(response.headers.has("Content-Length"));
}

TEST_F(HttpClientTest, RethrowsWhatABodyCallbackThrows) {
  HttpRequest request = to(url("/size/5000"));
  request.on_body = [](std::string_view) { throw std::out_of_range("mine"); };
  EXPECT_THROW(client_->send(request), std::out_of_range);
  EXPECT_EQ(get("/nowhere").status, 404);
}

TEST_F(HttpClientTest, RefusesToSendFromInsideACallback) {
  HttpRequest request = to(url("/size/10"));
  request.on_body = [this](std::string_view) { get("/show"); };
  EXPECT_EQ(error_of([&] { client_->send(request); }).kind(), ErrorKind::failed);
}

TEST_F(HttpClientTest, HandsErrorBodiesOverEvenWhenStreaming) {
  HttpRequest request = to(url("/nowhere"));
  request.on_body = [](std::string_view) { FAIL() << "only the body of a 2xx is streamed"; };
  EXPECT_NE(client_->send(request).body.find("nothing is here"), std::string::npos);
}

TEST_F(HttpClientTest, ExplainsThatNobodyListens) {
  std::string dead = url("/x?token=abc&a=1");
  server_.reset();
  Error error = error_of([&] { client_->send(to(replace_all(dead, "http://", "http://me:hunter2@"))); });
  EXPECT_EQ(error.kind(), ErrorKind::network);
  EXPECT_EQ(error.cause(), "connection refused");
  EXPECT_NE(error.hint().find("is it running"), std::string::npos);
  EXPECT_NE(error.subject().find("token=***&a=1"), std::string::npos) << error.subject();
  EXPECT_EQ(render_error(error).find("hunter2"), std::string::npos) << render_error(error);
}

TEST_F(HttpClientTest, ExplainsTlsAndUnknownHosts) {
  HttpRequest tls = to(replace_all(url("/"), "http://", "https://"));
  tls.retries = 0;
  EXPECT_EQ(error_of([&] { client_->send(tls); }).message(), "cannot agree on TLS");
  HttpRequest unknown = to("http://no-such-host.invalid/");
  unknown.retries = 0;
  EXPECT_EQ(error_of([&] { client_->send(unknown); }).kind(), ErrorKind::network);
}

TEST_F(HttpClientTest, KeepsTheDeadline) {
  RawServer silent({"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nx"});
  test::RawClient blocker(parse_url(silent.url()).port);  // takes the one answer, so that ours waits
  HttpRequest request = to(silent.url());
  request.timeout_ms = 150;
  int64_t begun_ms = SystemClock().monotonic_ms();
  Error error = error_of([&] { client_->send(request); });
  EXPECT_EQ(error.message(), "the request timed out");
  EXPECT_LT(SystemClock().monotonic_ms() - begun_ms, 1000);
  blocker.hang_up();
}

TEST_F(HttpClientTest, RefusesWhatCannotBeSent) {
  EXPECT_EQ(error_of([&] { client_->send(to("ftp://h/x")); }).kind(), ErrorKind::bad_input);
  HttpRequest request = to(url("/show"));
  request.headers.add("X", "a\r\nHost: b");
  EXPECT_EQ(error_of([&] { client_->send(request); }).kind(), ErrorKind::bad_input);
  EXPECT_THROW(client_->send_async(to("nonsense")).get(), Error);
}

TEST_F(HttpClientTest, OpensNoSocketOffline) {
  RawServer server({ok_answer("x")});
  HttpClientOptions offline_options;
  offline_options.offline = true;
  auto offline = make_http_client(offline_options);
  EXPECT_EQ(error_of([&] { offline->send(to(server.url())); }).kind(), ErrorKind::refused);
  EXPECT_THROW(offline->send_async(to(server.url())).get(), Error);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(HttpClientTest, FailsWhatIsRunningWhenItEnds) {
  auto client = make_http_client();
  RawServer silent({""});
  test::RawClient blocker(parse_url(silent.url()).port);
  auto answer = client->send_async(to(silent.url()));
  client.reset();
  EXPECT_EQ(error_of([&] { answer.get(); }).kind(), ErrorKind::interrupted);
  blocker.hang_up();
}

TEST(HttpSafeUrl, HidesUserInfoAndSecretParameters) {
  EXPECT_EQ(safe_url("https://u:p@h/x?a=1&X-Amz-Signature=abc&access_token=d#f"),
            "https://***@h/x?a=1&X-Amz-Signature=***&access_token=***");
}

}  // namespace
}  // namespace dae
