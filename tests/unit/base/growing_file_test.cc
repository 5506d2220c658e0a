#include "base/growing_file.h"

#include "http_server_fixture.h"

namespace dae::test {
namespace {

TEST(GrowingFile, IsReadableAsFarAsItWasWritten) {
  GrowingFile file(100);
  EXPECT_EQ(file.readable_bytes(), 0u);
  file.grow_to(40);
  EXPECT_EQ(file.readable_bytes(), 40u);
}

TEST(GrowingFile, KeepsItsLastByteUntilItIsWhole) {
  GrowingFile file(100);
  file.grow_to(100);
  EXPECT_EQ(file.readable_bytes(), 99u);
  file.finish();
  EXPECT_EQ(file.readable_bytes(), 100u);
  EXPECT_EQ(file.state(), GrowingFile::State::whole);
}

TEST(GrowingFile, WakesWhoWaitsForMoreOnce) {
  GrowingFile file(100);
  int early = 0, late = 0;
  file.wake_beyond(0, [&] { ++early; });
  file.wake_beyond(50, [&] { ++late; });
  file.grow_to(10);
  EXPECT_EQ(early, 1);
  EXPECT_EQ(late, 0);
  file.grow_to(60);
  file.grow_to(70);
  EXPECT_EQ(early, 1);
  EXPECT_EQ(late, 1);
  file.wake_beyond(20, [&] { ++late; });  // there already
  EXPECT_EQ(late, 2);
}

TEST(GrowingFile, WakesWhoWaitsWhenItBreaksOff) {
  GrowingFile file(100);
  int woken = 0;
  file.wake_beyond(0, [&] { ++woken; });
  file.break_off();
  EXPECT_EQ(woken, 1);
  file.finish();
  EXPECT_EQ(file.state(), GrowingFile::State::broken);
}

class GrowingAnswer : public HttpServerTest {
 protected:
  void SetUp() override {
    HttpServerTest::SetUp();
    growing_ = std::make_shared<GrowingFile>(dir_.path() / "big", bytes_.size());
    std::vector<Route> routes;
    routes.push_back(route("GET", "/growing", [this](const ServerRequest&) {
      ServerResponse response;
      response.growing = growing_;
      response.etag = "g1";
      return response;
    }));
    ServerOptions options = small_server();
    options.spool_dir = dir_.path() / "spool";
    server_ = start_http_server(std::move(options), std::move(routes));
  }
  std::future<HttpResponse> begin(Headers headers = {}, std::string method = "GET") {
    HttpRequest request;
    request.url = url("/growing");
    request.method = std::move(method);
    request.headers = std::move(headers);
    request.retries = 0;
    if (request.method == "GET") {
      request.on_body = [this](std::string_view piece) { received_ += piece; };
    }
    return client_->send_async(std::move(request));
  }
  std::shared_ptr<GrowingFile> growing_;
  std::string received_;
};

TEST_F(GrowingAnswer, FollowsTheFileToItsEnd) {
  growing_->grow_to(1000);
  auto answer = begin();
  for (size_t size : {1001u, 20'000u, 100'000u, 299'999u, 300'000u}) {
    growing_->grow_to(size);
    SystemClock().sleep_ms(2);
  }
  EXPECT_EQ(answer.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  growing_->finish();
  EXPECT_EQ(answer.get().headers.get("Content-Length"), "300000");
  EXPECT_EQ(received_, bytes_);
}

TEST_F(GrowingAnswer, LosesTheConnectionWhenItBreaksOff) {
  growing_->grow_to(300'000);
  auto answer = begin();
  SystemClock().sleep_ms(20);
  growing_->break_off();
  EXPECT_THROW(answer.get(), Error);
  EXPECT_LT(received_.size(), bytes_.size());
}

TEST_F(GrowingAnswer, KnowsRangesConditionsAndHead) {
  growing_->grow_to(250'000);
  auto tail = begin({{"Range", "bytes=200000-"}});
  SystemClock().sleep_ms(10);
  growing_->finish();
  EXPECT_EQ(tail.get().headers.get("Content-Range"), "bytes 200000-299999/300000");
  EXPECT_EQ(received_, bytes_.substr(200'000));
  EXPECT_EQ(get("/growing", {{"Range", "bytes=300000-"}}).status, 416);
  EXPECT_EQ(get("/growing", {{"If-None-Match", "\"g1\""}}).status, 304);
  const HttpResponse head = get("/growing", {}, "HEAD");
  EXPECT_EQ(head.headers.get("Content-Length"), "300000");
  EXPECT_EQ(head.headers.get("Accept-Ranges"), "bytes");
}

TEST_F(GrowingAnswer, HoldsNoWorkerWhileItWaits) {
  growing_->grow_to(1);
  std::vector<RawClient> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(raw());
    clients.back().say("GET /growing HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  EXPECT_EQ(get("/growing", {}, "HEAD").status, 200);
  growing_->finish();
}

}  // namespace
}  // namespace dae::test
