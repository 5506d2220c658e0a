// A file that is not here yet reaches its clients while it comes from upstream.
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "base/hash.h"
#include "fixture.h"

namespace dae::mirror {
namespace {

using testing::json_file;
using testing::json_page;
using testing::TestMirror;

const std::string kName = "demo-1.0-py3-none-any.whl";

// An upstream with one file, that sends as much of it as the test says.
class SlowUpstream {
 public:
  explicit SlowUpstream(std::string sent) : sent_(std::move(sent)) {
    write_file_atomic(dir_.path() / "file", sent_, 0644, Durability::none);
    begin_anew();
    ServerOptions options;
    options.loops = 1;
    server_ = start_http_server(
        options, {{.method = "GET",
                   .pattern = "/simple/demo/",
                   .handle =
                       [this](const ServerRequest&) {
                         return ServerResponse::text(200, page, "application/vnd.pypi.simple.v1+json");
                       }},
                  {.method = "GET", .pattern = "/files/{}", .handle = [this](const ServerRequest& request) {
                     std::lock_guard lock(mutex_);
                     ++asked;
                     last_range = request.headers.get("Range");
                     ServerResponse response;
                     response.growing = file_;
                     return response;
                   }}});
  }
  std::string simple_url() const { return server_->url() + "/simple/"; }
  void begin_anew() {
    std::lock_guard lock(mutex_);
    file_ = std::make_shared<GrowingFile>(dir_.path() / "file", sent_.size());
  }
  void send(uint64_t bytes) { file_->grow_to(bytes); }
  void send_all() { file_->finish(); }
  void hang_up() { file_->break_off(); }

  std::string page;
  std::atomic<int> asked{0};
  std::string last_range;

 private:
  TempDir dir_;
  std::string sent_;
  std::mutex mutex_;
  std::shared_ptr<GrowingFile> file_;
  std::unique_ptr<HttpServer> server_;
};

// A client that tells how much it has.
struct Reader {
  std::future<HttpResponse> answer;
  std::shared_ptr<std::atomic<uint64_t>> received = std::make_shared<std::atomic<uint64_t>>(0);
  std::shared_ptr<std::string> bytes = std::make_shared<std::string>();

  bool ended_within(int ms) const {
    return answer.wait_for(std::chrono::milliseconds(ms)) == std::future_status::ready;
  }
  void wait_for(uint64_t count) const {
    for (int i = 0; i < 5000 && *received < count; ++i) SystemClock().sleep_ms(1);
    EXPECT_GE(received->load(), count);
  }
};

std::unique_ptr<Transport> make_client() {
  HttpClientOptions options;
  options.max_per_host = 64;
  return make_http_client(options);
}

struct Streaming : ::testing::Test {
  static constexpr uint64_t kSize = 1 << 20;
  static std::string pattern() {
    std::string bytes(kSize, '\0');
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>((i * 131 + i / 251) & 0xff);
    return bytes;
  }
  explicit Streaming(bool lies = false)
      : upstream(lies ? std::string(kSize, 'x') : bytes), mirror(upstream.simple_url()) {
    list(R"(,"size":)" + std::to_string(kSize));
  }
  void list(const std::string& extra) {
    upstream.page = json_page("demo", {json_file(kName, sha256, extra)});
    path = mirror.file_path("demo", kName);
  }
  Reader read(Headers headers = {}) {
    Reader reader;
    HttpRequest request;
    request.url = mirror.url() + path;
    request.headers = std::move(headers);
    request.retries = 0;
    request.on_body = [received = reader.received, into = reader.bytes](std::string_view piece) {
      into->append(piece);
      *received += piece.size();
    };
    reader.answer = client->send_async(std::move(request));
    return reader;
  }
  bool is_kept() const { return exists(mirror.config.storage / "blobs" / "sha256" / sha256.substr(0, 2) / sha256); }

  const std::string bytes = pattern(), sha256 = Digest::of(bytes).hex();
  SlowUpstream upstream;
  TestMirror mirror;
  std::string path;
  std::unique_ptr<Transport> client = make_client();
};

struct LyingUpstream : Streaming {
  LyingUpstream() : Streaming(true) {}
};

TEST_F(Streaming, SendsTheFirstBytesLongBeforeTheLastHaveCome) {
  Reader reader = read();
  upstream.send(64 << 10);
  reader.wait_for(64 << 10);
  EXPECT_FALSE(reader.ended_within(20));
  EXPECT_FALSE(is_kept());
  upstream.send_all();
  const HttpResponse response = reader.answer.get();
  EXPECT_EQ(*reader.bytes, bytes);
  EXPECT_EQ(response.headers.get("Content-Length"), std::to_string(kSize));
  EXPECT_EQ(response.headers.get("ETag"), "\"" + sha256 + "\"");
  EXPECT_TRUE(is_kept());
  EXPECT_EQ(mirror.get(path).body, bytes);
  EXPECT_EQ(upstream.asked, 1);
}

TEST_F(Streaming, FetchesOnceHoweverManyAskAndWhenever) {
  std::vector<Reader> readers;
  for (int i = 0; i < 10; ++i) readers.push_back(read());
  upstream.send(64 << 10);
  for (Reader& reader : readers) reader.wait_for(1000);
  for (int i = 0; i < 10; ++i) readers.push_back(read());
  upstream.send(300'000);
  for (Reader& reader : readers) reader.wait_for(200'000);
  upstream.send_all();
  for (Reader& reader : readers) {
    EXPECT_EQ(reader.answer.get().status, 200);
    EXPECT_EQ(*reader.bytes, bytes);
  }
  EXPECT_EQ(upstream.asked, 1);
}

TEST_F(Streaming, KnowsTheSizeFromUpstreamsAnswerWhenThePageHasNone) {
  mirror.clock.advance_ms(3'600'000);
  list("");
  Reader reader = read();
  upstream.send(64 << 10);
  reader.wait_for(64 << 10);
  upstream.send_all();
  EXPECT_EQ(reader.answer.get().headers.get("Content-Length"), std::to_string(kSize));
}

TEST_F(LyingUpstream, BreaksTheConnectionWhenTheDigestIsWrong) {
  Reader reader = read();
  upstream.send(64 << 10);
  reader.wait_for(64 << 10);
  upstream.send_all();
  EXPECT_THROW(reader.answer.get(), Error);
  EXPECT_LT(reader.bytes->size(), kSize);
  EXPECT_FALSE(is_kept());
  EXPECT_FALSE(exists(mirror.config.storage / "blobs" / "tmp" / (sha256 + ".part")));
}

TEST_F(Streaming, BreaksTheConnectionWhenTheSizeIsWrong) {
  mirror.clock.advance_ms(3'600'000);
  list(R"(,"size":)" + std::to_string(kSize + 5));
  Reader reader = read();
  upstream.send(64 << 10);
  reader.wait_for(64 << 10);
  upstream.send_all();
  EXPECT_THROW(reader.answer.get(), Error);
  EXPECT_FALSE(is_kept());
}

TEST_F(Streaming, GoesOnWhereUpstreamHungUp) {
  Reader reader = read();
  upstream.send(200'000);
  reader.wait_for(200'000);
  SlowUpstream& slow = upstream;
  std::thread later([&slow] {
    slow.hang_up();
    slow.begin_anew();
    slow.send_all();
  });
  EXPECT_EQ(reader.answer.get().status, 200);
  later.join();
  EXPECT_EQ(*reader.bytes, bytes);
  EXPECT_GE(upstream.asked, 2);
  EXPECT_EQ(upstream.last_range, "bytes=200000-");
}

TEST_F(Streaming, FetchesToTheEndAlthoughTheClientLeft) {
  {
    HttpRequest request;
    request.url = mirror.url() + path;
    request.retries = 0;
    request.on_body = [](std::string_view) { throw Error(ErrorKind::interrupted, "enough"); };
    auto answer = client->send_async(std::move(request));
    upstream.send(64 << 10);
    EXPECT_THROW(answer.get(), Error);
  }
  upstream.send_all();
  for (int i = 0; i < 2000 && !is_kept(); ++i) SystemClock().sleep_ms(2);
  EXPECT_TRUE(is_kept());
  EXPECT_EQ(mirror.get(path).body, bytes);
  EXPECT_EQ(upstream.asked, 1);
}

TEST_F(Streaming, AnswersTheRestOfTheFileFromWhatGrows) {
  Reader rest = read({{"Range", "bytes=1000-"}});
  upstream.send(64 << 10);
  rest.wait_for((64 << 10) - 1000);
  // Its bytes are there, but nobody knows yet whether they are right.
  Reader middle = read({{"Range", "bytes=100-199"}});
  EXPECT_FALSE(middle.ended_within(30));
  upstream.send_all();
  EXPECT_EQ(rest.answer.get().status, 206);
  EXPECT_EQ(*rest.bytes, bytes.substr(1000));
  EXPECT_EQ(middle.answer.get().status, 206);
  EXPECT_EQ(*middle.bytes, bytes.substr(100, 100));
  EXPECT_EQ(upstream.asked, 1);
}

TEST_F(Streaming, AnswersHeadWithoutFetching) {
  const HttpResponse head = mirror.send("HEAD", path);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.get("Content-Length"), std::to_string(kSize));
  EXPECT_EQ(head.headers.get("ETag"), "\"" + sha256 + "\"");
  EXPECT_EQ(head.headers.get("Accept-Ranges"), "bytes");
  EXPECT_EQ(upstream.asked, 0);
}

TEST_F(Streaming, GoesOnAfterARestartWithWhatIsThere) {
  Reader reader = read();
  upstream.send(200'000);
  reader.wait_for(200'000);
  client.reset();  // hangs up
  mirror.stop();
  mirror.transport = make_http_client();
  upstream.begin_anew();
  upstream.send_all();
  mirror.restart();
  EXPECT_EQ(mirror.get(path).body, bytes);
  EXPECT_EQ(upstream.last_range, "bytes=200000-");
}

}  // namespace
}  // namespace dae::mirror
