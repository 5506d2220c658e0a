#include <gtest/gtest.h>
#include <sys/un.h>

#include "http_server_fixture.h"

namespace dae {
namespace {

using test::HttpServerTest;
using test::RawClient;
using test::small_server;

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
  // A connection that was just answered may see the drain a moment before the listener is closed.
  for (int tries = 0; tries < 300 && raw().connected(); ++tries) SystemClock().sleep_ms(10);
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
