// Requests that are refused before their body is read, and clients that send it all the same.
#include <gtest/gtest.h>

#include "http_server_fixture.h"

namespace dae {
namespace {

using test::HttpServerTest;
using test::RawClient;
using test::small_server;

class Admission : public HttpServerTest {
 protected:
  void SetUp() override { begin(small_server()); }
  void begin(ServerOptions options) {
    spool_ = dir_.path() / "spool";
    options.spool_dir = spool_;
    make_dirs(spool_);
    Route guarded = test::route("PUT", "/guarded", [this](const ServerRequest& request) {
      ++uploads_;
      return ServerResponse::text(200, std::to_string(request.body_size_bytes) + " bytes");
    });
    guarded.spool_body = true;
    guarded.body_limit_bytes = 64 << 20;
    guarded.admit = [this](const ServerRequest& request) -> std::optional<ServerResponse> {
      ++asked_;
      for (int i = 0; i < 400 && hold_; ++i) SystemClock().sleep_ms(5);
      EXPECT_TRUE(request.body_file.empty() && request.body.empty());
      if (request.headers.get("Key") == "broken") throw Error(ErrorKind::not_found, "no such lock", "lock");
      if (request.headers.get("Key") == "right") return std::nullopt;
      return ServerResponse::text(401, "no key for " + std::to_string(request.announced_bytes.value_or(0)));
    };
    std::vector<Route> all = routes();
    all.push_back(guarded);
    Route get = guarded;
    get.method = "GET";
    get.spool_body = false;
    all.push_back(get);
    server_ = start_http_server(std::move(options), std::move(all));
  }
  static std::string header(const std::string& fields, const std::string& length = "Content-Length: 11") {
    return "PUT /guarded HTTP/1.1\r\nHost: h\r\n" + length + "\r\n" + fields + "\r\n";
  }

  Path spool_;
  std::atomic<int> asked_{0};
  std::atomic<bool> hold_{false};
};

TEST_F(Admission, WhoeverIsLetInSendsItsBodyAndGoesOn) {
  RawClient client = raw();
  client.say(header("Key: right\r\n") + "hello world" + header("Key: right\r\n", "Transfer-Encoding: chunked") +
             "5\r\nhello\r\n0\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string heard = client.hear("\r\n\r\nhello");
  EXPECT_NE(heard.find("11 bytes"), std::string::npos) << heard;
  EXPECT_NE(heard.find("5 bytes"), std::string::npos) << heard;
  EXPECT_EQ(asked_, 2);
}

TEST_F(Admission, OnlyWhoIsLetInIsToldToContinue) {
  RawClient right = raw();
  right.say(header("Key: right\r\nExpect: 100-continue\r\n"));
  EXPECT_EQ(right.hear("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  right.say("hello world");
  EXPECT_NE(right.hear("bytes").find("200 OK"), std::string::npos);
  RawClient wrong = raw();
  wrong.say(header("Expect: 100-continue\r\n"));
  const std::string heard = wrong.hear();
  EXPECT_TRUE(heard.starts_with("HTTP/1.1 401 ")) << heard;
  EXPECT_NE(heard.find("Connection: close"), std::string::npos);
  EXPECT_TRUE(heard.ends_with("no key for 11"));
  EXPECT_TRUE(wrong.closed());
}

TEST_F(Admission, NothingOfARefusedBodyReachesTheDisk) {
  RawClient client = raw();
  client.say(header("", "Content-Length: 52428800"));
  EXPECT_NE(client.hear("no key for 52428800").find("401"), std::string::npos);
  EXPECT_TRUE(list_dir(spool_).empty());
  EXPECT_EQ(uploads_, 0);
}

TEST_F(Admission, AClientThatSendsFiftyMegabytesFirstHearsTheAnswer) {
  for (const char* length : {"Content-Length: 52428800", "Transfer-Encoding: chunked"}) {
    RawClient client = raw();
    client.say(header("", length));
    const std::string piece = std::string_view(length).starts_with("T")
                                  ? "100000\r\n" + std::string(1 << 20, 'x') + "\r\n"
                                  : std::string(1 << 20, 'x');
    for (int i = 0; i < 50; ++i) client.say(piece);
    const std::string heard = client.hear();
    EXPECT_TRUE(heard.starts_with("HTTP/1.1 401 ")) << heard;
    EXPECT_TRUE(list_dir(spool_).empty());
  }
  EXPECT_EQ(uploads_, 0);
}

TEST_F(Admission, NoBodyIsTakenForARequest) {
  RawClient client = raw();
  const std::string hidden = "PUT /guarded HTTP/1.1\r\nHost: h\r\nKey: right\r\nContent-Length: 0\r\n\r\n";
  client.say(header("", "Content-Length: " + std::to_string(hidden.size())) + hidden +
             "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string heard = client.hear();
  EXPECT_EQ(heard.find("HTTP/1.1", 1), std::string::npos) << heard;
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(uploads_, 0);
}

TEST_F(Admission, ARequestWithoutABodyIsAskedAboutAndKeepsItsConnection) {
  RawClient client = raw();
  client.say("GET /guarded HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.hear("no key for 0").find("401"), std::string::npos);
  client.say("GET /guarded HTTP/1.1\r\nHost: h\r\nKey: right\r\n\r\n");
  EXPECT_NE(client.hear("bytes").find("200 OK"), std::string::npos);
  client.say(header("", "Content-Length: 0"));
  EXPECT_NE(client.hear("no key for 0").find("401"), std::string::npos);
  EXPECT_FALSE(client.closed());
  EXPECT_EQ(asked_, 3);
}

TEST_F(Admission, ComesBeforeTheLimitOfTheBody) {
  EXPECT_NE(raw().ask(header("", "Content-Length: 99999999999")).find("401"), std::string::npos);
  EXPECT_NE(raw().ask(header("Key: right\r\n", "Content-Length: 99999999999")).find("413"), std::string::npos);
}

TEST_F(Admission, AnErrorIsAnAnswer) {
  EXPECT_NE(raw().ask(header("Key: broken\r\n")).find("404 Not Found"), std::string::npos);
  EXPECT_EQ(uploads_, 0);
}

TEST_F(Admission, HoldsUpNobodyElseWhileItIsAsked) {
  hold_ = true;
  RawClient client = raw();
  client.say(header("Key: right\r\n") + "hello");
  for (int i = 0; i < 500 && asked_ == 0; ++i) SystemClock().sleep_ms(2);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(get("/hello").body, "hello");
  client.say(" world");
  hold_ = false;
  EXPECT_NE(client.hear("bytes").find("11 bytes"), std::string::npos);
}

TEST_F(Admission, AClientThatLeavesMeanwhileIsForgotten) {
  hold_ = true;
  RawClient client = raw();
  client.say(header("Key: right\r\n") + "hello");
  for (int i = 0; i < 500 && asked_ == 0; ++i) SystemClock().sleep_ms(2);
  client.hang_up();
  hold_ = false;
  server_->drain(3000);
  server_.reset();
  EXPECT_EQ(uploads_, 0);
  EXPECT_TRUE(list_dir(spool_).empty());
}

TEST_F(Admission, ADrainLetsItEnd) {
  hold_ = true;
  RawClient client = raw();
  client.say(header("Key: right\r\n") + "hello world");
  for (int i = 0; i < 500 && asked_ == 0; ++i) SystemClock().sleep_ms(2);
  std::thread drainer([this] { server_->drain(3000); });
  SystemClock().sleep_ms(30);
  hold_ = false;
  EXPECT_NE(client.hear().find("11 bytes"), std::string::npos);
  drainer.join();
}

class AdmissionLimits : public Admission {
 protected:
  void SetUp() override {}
};

TEST_F(AdmissionLimits, ASlowClientIsReadFromForABoundedTime) {
  ServerOptions options = small_server();
  options.linger_ms = 300;
  begin(options);
  RawClient client = raw();
  const int64_t begun_ms = SystemClock().monotonic_ms();
  client.say(header("", "Content-Length: 1000000"));
  EXPECT_NE(client.hear("no key for 1000000").find("401"), std::string::npos);
  // Each byte keeps the connection busy; after the time is over the server is gone all the same.
  for (int i = 0; i < 200 && get("/hello").status == 200 && !client.broken(); ++i) {
    client.say("x");
    SystemClock().sleep_ms(20);
  }
  EXPECT_TRUE(client.broken());
  EXPECT_GE(SystemClock().monotonic_ms() - begun_ms, 250);
  EXPECT_LT(SystemClock().monotonic_ms() - begun_ms, 2500);
}

TEST_F(AdmissionLimits, ADrainDoesNotWaitForRefusedClientsLong) {
  ServerOptions options = small_server();
  options.linger_ms = 60'000;
  begin(options);
  RawClient client = raw();
  client.say(header("", "Content-Length: 1000000"));
  client.hear("no key for 1000000");
  std::atomic<bool> drained{false};
  std::thread sender([&] {
    while (!drained) {
      client.say("x");
      SystemClock().sleep_ms(50);
    }
  });
  const int64_t begun_ms = SystemClock().monotonic_ms();
  server_->drain(20'000);
  EXPECT_LT(SystemClock().monotonic_ms() - begun_ms, 5000);
  drained = true;
  sender.join();
}

}  // namespace
}  // namespace dae
