// Answers that go out from the event loop, without a handler.
#include <map>

#include "http_server_fixture.h"

namespace dae {
namespace {

using test::HttpServerTest;
using test::RawClient;
using test::small_server;

class HttpKnownAnswerTest : public HttpServerTest {
 protected:
  void SetUp() override {
    ServerOptions options = small_server();
    options.known_answer = [this](const ServerRequest& request) -> std::shared_ptr<const KnownAnswer> {
      std::lock_guard lock(mutex_);
      const auto found = known_.find(request.target);
      return found == known_.end() ? nullptr : found->second;
    };
    options.on_access = [this](const ServerRequest& request, int status, uint64_t size_bytes, int64_t) {
      std::lock_guard lock(mutex_);
      seen_.push_back(request.method + " " + request.path + " " + std::to_string(status) + " " +
                      std::to_string(size_bytes));
    };
    start(options);
    know("/known/page", ServerResponse::text(200, "a page", "text/html"), "p1");
    know("/known/large?x=1", ServerResponse::text(200, large_), "p2");
    for (const char* name : {"big", "small", "empty"}) {
      ServerResponse response;
      response.file = dir_.path() / name;
      know(std::string("/file/") + name, std::move(response), "");
    }
  }

  void know(const std::string& target, ServerResponse response, std::string etag) {
    ServerRequest request;
    request.path = target.substr(0, target.find('?'));
    response.etag = std::move(etag);
    response.headers.add("Cache-Control", "max-age=60");
    auto answer = make_known_answer(request, std::move(response));
    std::lock_guard lock(mutex_);
    known_[target] = std::move(answer);
  }
  void forget_all() {
    std::lock_guard lock(mutex_);
    known_.clear();
  }

  ~HttpKnownAnswerTest() override { server_.reset(); }  // before what its callbacks use

  const std::string large_ = test::pattern_bytes(3 << 20);
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const KnownAnswer>> known_;
  std::vector<std::string> seen_;
};

TEST_F(HttpKnownAnswerTest, SendsBodiesSmallAndLarge) {
  for (int i = 0; i < 3; ++i) {
    const HttpResponse page = get("/known/page");
    EXPECT_EQ(page.body, "a page");
    EXPECT_EQ(page.headers.get("Content-Type"), "text/html");
    EXPECT_EQ(page.headers.get("ETag"), "\"p1\"");
    EXPECT_EQ(page.headers.get("Content-Length"), "6");
    EXPECT_NE(parse_http_date(page.headers.get("Date")), -1);
    EXPECT_EQ(get("/known/large?x=1").body, large_);
  }
  EXPECT_EQ(get("/known/large?x=2").status, 404);
}

TEST_F(HttpKnownAnswerTest, SendsAFileAsItsHandlerWould) {
  std::map<std::string, HttpResponse> from_loop;
  const std::vector<std::pair<std::string, Headers>> asked = {
      {"big", {}},
      {"big", {{"Range", "bytes=5-20"}}},
      {"big", {{"Range", "bytes=100-199999"}}},
      {"big", {{"Range", "bytes=300000-"}}},
      {"big", {{"If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"}}},
      {"small", {}},
      {"small", {{"Range", "bytes=-3"}}},
      {"small", {{"Range", "bytes=2-3"}, {"If-Range", "\"other\""}}},
      {"small", {{"If-None-Match", "*"}}},
      {"empty", {}},
      {"empty", {{"Range", "bytes=0-"}}}};
  const auto text = [](const HttpResponse& response) {
    std::string all = std::to_string(response.status);
    for (const auto& [name, value] : response.headers.fields()) {
      if (name != "Date") all += "\n" + name + ": " + value;
    }
    return all + "\n\n" + response.body;
  };
  std::vector<std::string> known;
  for (const char* method : {"GET", "HEAD"}) {
    for (const auto& [name, headers] : asked) known.push_back(text(get("/file/" + name, headers, method)));
  }
  forget_all();
  size_t at = 0;
  for (const char* method : {"GET", "HEAD"}) {
    for (const auto& [name, headers] : asked) {
      // The order of the fields may differ, what they say may not.
      std::string other = text(get("/file/" + name, headers, method));
      std::sort(other.begin(), other.end());
      std::sort(known[at].begin(), known[at].end());
      EXPECT_EQ(known[at++], other) << method << " " << name;
    }
  }
}

TEST_F(HttpKnownAnswerTest, SaysNotModified) {
  EXPECT_EQ(get("/known/page", {{"If-None-Match", "\"p1\""}}).status, 304);
  EXPECT_EQ(get("/known/page", {{"If-None-Match", "\"p2\""}}).status, 200);
  const HttpResponse head = get("/known/large?x=1", {}, "HEAD");
  EXPECT_EQ(head.headers.get("Content-Length"), std::to_string(large_.size()));
  EXPECT_EQ(head.body, "");
}

TEST_F(HttpKnownAnswerTest, IsForGetAndHeadWithoutABody) {
  EXPECT_EQ(get("/known/page", {}, "POST").status, 404);
  EXPECT_NE(
      raw().ask("GET /known/page HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx").find(" 404 "),
      std::string::npos);
  EXPECT_NE(raw().ask("GET /known/page HTTP/1.1\r\nHost: h\r\nExpect: more\r\n\r\n").find(" 417 "), std::string::npos);
}

TEST_F(HttpKnownAnswerTest, KeepsTheOrderOfRequestsSentAhead) {
  RawClient client = raw();
  std::string asked, expected;
  for (int i = 0; i < 300; ++i) {
    const bool known = i % 3 != 0;
    asked += known ? "GET /known/page HTTP/1.1\r\nHost: h\r\n\r\n"
                   : "GET /echo/e" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
    expected += known ? "[a page]" : "[e" + std::to_string(i) + "|none]";
  }
  std::string answers = client.ask(asked + "GET /known/page HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.closed());
  std::string bodies;
  for (size_t at = answers.find("\r\n\r\n"); at != std::string::npos; at = answers.find("\r\n\r\n", at)) {
    at += 4;
    bodies += "[" + answers.substr(at, answers.find("HTTP/1.1", at) - at) + "]";
  }
  EXPECT_EQ(bodies, expected + "[a page]");
}

TEST_F(HttpKnownAnswerTest, ReachesAClientThatReadsSlowlyAfterItIsForgotten) {
  RawClient slow = raw();
  slow.say(
      "GET /known/large?x=1 HTTP/1.1\r\nHost: h\r\n\r\nGET /known/large?x=1 HTTP/1.1\r\nHost: h\r\nConnection: "
      "close\r\n\r\n");
  EXPECT_EQ(get("/known/page").status, 200);
  SystemClock().sleep_ms(50);
  const std::string text = slow.hear();
  forget_all();
  const size_t first = text.find("\r\n\r\n") + 4;
  EXPECT_EQ(text.substr(first, large_.size()), large_);
  EXPECT_TRUE(text.ends_with(large_));
}

TEST_F(HttpKnownAnswerTest, SpeaksHttp10AndHearsOutAHalfClosedClient) {
  const std::string answer = raw().ask("GET /known/page HTTP/1.0\r\n\r\n");
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\na page"));
}

TEST_F(HttpKnownAnswerTest, ReportsEachAnswerOnce) {
  get("/known/page");
  get("/known/large?x=1", {{"If-None-Match", "\"p2\""}});
  get("/file/big", {{"Range", "bytes=0-99"}});
  server_.reset();
  const std::vector<std::string> expected{"GET /known/page 200 6", "GET /known/large 304 0", "GET /file/big 206 100"};
  EXPECT_EQ(seen_, expected);
}

TEST_F(HttpKnownAnswerTest, AnswersARequestThatArrivesWithTheDrain) {
  RawClient client = raw();
  client.say("GET /known/page HTTP/1.1\r\nHost: h\r\n\r\n");
  client.hear("a page");
  client.say("GET /known/page HTTP/1.1\r\nHost: h\r\n\r\n");
  server_->drain(2000);
  const std::string answer = client.hear();
  EXPECT_TRUE(answer.ends_with("a page")) << answer;
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpKnownAnswerTest, NeedsNoFolderForLargeBodies) {
  ServerRequest request;
  const auto on_disk = make_known_answer(request, ServerResponse::text(200, large_), dir_.path());
  const auto in_memory = make_known_answer(request, ServerResponse::text(200, large_), dir_.path() / "absent");
  {
    std::lock_guard lock(mutex_);
    known_["/disk"] = on_disk;
    known_["/memory"] = in_memory;
  }
  EXPECT_EQ(get("/disk").body, large_);
  EXPECT_EQ(get("/memory").body, large_);
}

TEST_F(HttpKnownAnswerTest, TellsWhetherAnotherBodyIsTheSame) {
  ServerRequest request;
  ServerResponse response = ServerResponse::text(200, "same");
  response.etag = "e";
  const auto answer = make_known_answer(request, response);
  EXPECT_TRUE(has_body_of(*answer, response));
  EXPECT_FALSE(holds_descriptor(*answer));
  response.headers.add("X", "y");
  EXPECT_FALSE(has_body_of(*answer, response));
}

}  // namespace
}  // namespace dae
