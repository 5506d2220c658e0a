#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/http_client.h"
#include "base/http_server.h"
#include "http_test_support.h"

namespace dae {
namespace {

using test::RawServer;

class DownloadTest : public ::testing::Test {
 protected:
  DownloadTest() : client_(make_http_client(options())) {}

  static HttpClientOptions options() {
    HttpClientOptions out;
    out.retry_base_ms = 5;
    return out;
  }

  // The first `sent` bytes of a 200 for all of `bytes_`.
  std::string whole(size_t sent, std::string_view etag = "\"v1\"") const {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bytes_.size()) + "\r\n" +
           (etag.empty() ? "" : "ETag: " + std::string(etag) + "\r\n") + "Connection: close\r\n\r\n" +
           bytes_.substr(0, sent);
  }
  std::string rest(size_t from, size_t until) const {
    return "HTTP/1.1 206 Partial Content\r\nContent-Length: " + std::to_string(bytes_.size() - from) +
           "\r\nContent-Range: bytes " + std::to_string(from) + "-" + std::to_string(bytes_.size() - 1) + "/" +
           std::to_string(bytes_.size()) + "\r\nETag: \"v1\"\r\nConnection: close\r\n\r\n" +
           bytes_.substr(from, until - from);
  }
  Download download(const RawServer& server) const {
    Download out;
    out.url = server.url("/file");
    out.destination = target();
    out.digest = Digest::of(bytes_);
    return out;
  }
  Download without_digest(const RawServer& server) const {
    Download out = download(server);
    out.digest.reset();
    return out;
  }
  Path target() const { return dir_.path() / "sub" / "file.whl"; }
  std::vector<std::string> left() const { return list_dir(dir_.path() / "sub"); }
  ErrorKind failure(const Download& what) {
    try {
      download_file(*client_, what);
    } catch (const Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorKind::failed;
  }

  TempDir dir_;
  std::string bytes_ = [] {
    std::string text;
    for (int i = 0; i < 40'000; ++i) text += std::to_string(i) + "\n";
    return text;
  }();
  std::unique_ptr<Transport> client_;
};

TEST_F(DownloadTest, WritesTheFileAndNothingElse) {
  RawServer server({whole(bytes_.size())});
  uint64_t last = 0, total = 0;
  Download what = download(server);
  what.on_progress = [&](uint64_t done, uint64_t of) {
    last = done;
    total = of;
  };
  EXPECT_EQ(download_file(*client_, what), Digest::of(bytes_));
  EXPECT_EQ(read_file(target()), bytes_);
  EXPECT_EQ(left(), std::vector<std::string>{"file.whl"});
  EXPECT_EQ(last, bytes_.size());
  EXPECT_EQ(total, bytes_.size());
}

TEST_F(DownloadTest, GoesOnWhereTheConnectionBroke) {
  RawServer server({whole(100'000), rest(100'000, 150'000), rest(150'000, bytes_.size())});
  EXPECT_EQ(download_file(*client_, download(server)), Digest::of(bytes_));
  EXPECT_EQ(read_file(target()), bytes_);
  ASSERT_EQ(server.requests().size(), 3u);
  EXPECT_NE(server.requests()[2].find("Range: bytes=150000-\r\n"), std::string::npos);
  EXPECT_NE(server.requests()[2].find("If-Range: \"v1\"\r\n"), std::string::npos);
}

TEST_F(DownloadTest, GoesOnWhereAnEarlierRunStopped) {
  {
    RawServer server({whole(100'000), "", "", "", ""});
    Download what = without_digest(server);
    EXPECT_EQ(failure(what), ErrorKind::network);
    std::vector<std::string> expected{"file.whl.part", "file.whl.part.etag"};
    EXPECT_EQ(left(), expected);
    // The same file behind another port is another URL, so its validator would not count: bind the part to ours.
    RawServer again({rest(100'000, bytes_.size())});
    std::string etag_file = read_file(target().string() + ".part.etag");
    write_file_atomic(target().string() + ".part.etag",
                      Digest::of(again.url("/file")).hex() + etag_file.substr(etag_file.find('\n')));
    EXPECT_EQ(download_file(*client_, without_digest(again)), Digest::of(bytes_));
    EXPECT_NE(again.requests()[0].find("Range: bytes=100000-\r\n"), std::string::npos);
  }
  EXPECT_EQ(read_file(target()), bytes_);
  EXPECT_EQ(left(), std::vector<std::string>{"file.whl"});
}

TEST_F(DownloadTest, BeginsAgainWithoutAValidatorOrForAnotherUrl) {
  make_dirs(target().parent_path());
  for (bool with_validator : {false, true}) {
    write_file_atomic(target().string() + ".part", "old bytes");
    if (with_validator) {
      write_file_atomic(target().string() + ".part.etag", Digest::of("http://other/").hex() + "\n\"v1\"\n");
    }
    RawServer server({whole(bytes_.size())});
    EXPECT_EQ(download_file(*client_, without_digest(server)), Digest::of(bytes_));
    EXPECT_EQ(server.requests()[0].find("Range:"), std::string::npos);
  }
}

TEST_F(DownloadTest, GoesOnWithAnyBeginningWhenTheDigestDecides) {
  make_dirs(target().parent_path());
  write_file_atomic(target().string() + ".part", bytes_.substr(0, 50'000));
  RawServer server({rest(50'000, bytes_.size())});
  EXPECT_EQ(download_file(*client_, download(server)), Digest::of(bytes_));
  EXPECT_NE(server.requests()[0].find("Range: bytes=50000-\r\n"), std::string::npos);
  EXPECT_EQ(server.requests()[0].find("If-Range:"), std::string::npos);
  EXPECT_EQ(left(), std::vector<std::string>{"file.whl"});
}

TEST_F(DownloadTest, AsksForNothingWhenAllOfItIsThere) {
  make_dirs(target().parent_path());
  write_file_atomic(target().string() + ".part", bytes_);
  RawServer server({});
  Download what = download(server);
  what.size_bytes = bytes_.size();
  EXPECT_EQ(download_file(*client_, what), Digest::of(bytes_));
  EXPECT_EQ(read_file(target()), bytes_);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(DownloadTest, GivesUpOnAServerThatCutsEveryConnection) {
  std::vector<std::string> answers{whole(1000)};
  for (size_t i = 1; i < 20; ++i) answers.push_back(rest(1000 * i, 1000 * (i + 1)));
  RawServer server(answers);
  EXPECT_EQ(failure(download(server)), ErrorKind::network);
  EXPECT_LT(server.requests().size(), 8u);
  EXPECT_FALSE(left().empty()) << "a later run goes on";
}

TEST_F(DownloadTest, DoesNotResumeFromAWeakTag) {
  RawServer server({whole(100'000, "W/\"v1\"")});
  EXPECT_EQ(failure(without_digest(server)), ErrorKind::network);
  EXPECT_TRUE(left().empty());
}

TEST_F(DownloadTest, TakesTheNewFileWhenItChangedMeanwhile) {
  std::string before = bytes_;
  std::string cut = whole(100'000);
  bytes_ = "something new";
  RawServer server({cut, whole(bytes_.size(), "\"v2\"")});
  EXPECT_EQ(download_file(*client_, download(server)), Digest::of(bytes_));
  EXPECT_EQ(read_file(target()), "something new");
}

TEST_F(DownloadTest, BeginsAgainWhenTheServerCannotContinue) {
  RawServer server({whole(100'000),
                    "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                    whole(bytes_.size())});
  EXPECT_EQ(download_file(*client_, download(server)), Digest::of(bytes_));
  EXPECT_EQ(read_file(target()), bytes_);
}

TEST_F(DownloadTest, DoesNotTrustAContentRangeThatStartsElsewhere) {
  RawServer server({whole(100'000), rest(99'999, bytes_.size()), whole(bytes_.size())});
  EXPECT_EQ(download_file(*client_, download(server)), Digest::of(bytes_));
}

TEST_F(DownloadTest, LeavesNothingWhenTheDigestDiffers) {
  RawServer server({whole(bytes_.size())});
  Download what = download(server);
  what.digest = Digest::of("something else");
  EXPECT_EQ(failure(what), ErrorKind::verification);
  EXPECT_TRUE(left().empty());
}

TEST_F(DownloadTest, KeepsTheOldFileWhenTheDigestDiffers) {
  make_dirs(target().parent_path());
  write_file_atomic(target(), "old");
  RawServer server({whole(bytes_.size())});
  Download what = download(server);
  what.digest = Digest::of("something else");
  EXPECT_EQ(failure(what), ErrorKind::verification);
  EXPECT_EQ(read_file(target()), "old");
}

TEST_F(DownloadTest, FetchesAnewWhenTheOldPartWasWrong) {
  RawServer server({rest(9, bytes_.size()), whole(bytes_.size())});
  make_dirs(target().parent_path());
  write_file_atomic(target().string() + ".part", "bad bytes");
  write_file_atomic(target().string() + ".part.etag", Digest::of(server.url("/file")).hex() + "\n\"v1\"\n");
  EXPECT_EQ(download_file(*client_, download(server)), Digest::of(bytes_));
  EXPECT_EQ(read_file(target()), bytes_);
}

TEST_F(DownloadTest, ChecksTheSizeWhileBytesArrive) {
  RawServer longer({whole(bytes_.size())}), shorter({whole(bytes_.size())}), limited({whole(bytes_.size())});
  Download what = download(longer);
  what.digest.reset();
  what.size_bytes = bytes_.size() - 1;
  EXPECT_EQ(failure(what), ErrorKind::verification);
  what.url = shorter.url("/file");
  what.size_bytes = bytes_.size() + 1;
  EXPECT_EQ(failure(what), ErrorKind::verification);
  what.url = limited.url("/file");
  what.size_bytes.reset();
  what.limit_bytes = 1000;
  EXPECT_EQ(failure(what), ErrorKind::bad_input);
  EXPECT_TRUE(left().empty());
}

TEST_F(DownloadTest, SaysWhatTheServerAnswered) {
  auto answer = [](const char* status) {
    return std::string("HTTP/1.1 ") + status + "\r\nContent-Length: 5\r\nConnection: close\r\n\r\nnope\n";
  };
  for (auto [status, kind] : {std::pair{"404 Not Found", ErrorKind::not_found},
                              {"403 Forbidden", ErrorKind::refused},
                              {"418 Teapot", ErrorKind::network}}) {
    RawServer server({answer(status)});
    EXPECT_EQ(failure(download(server)), kind) << status;
  }
  EXPECT_TRUE(left().empty());
}

TEST_F(DownloadTest, TwoAtOnceDoNotDisturbEachOther) {
  write_file_atomic(dir_.path() / "source", bytes_);
  Route route;
  route.method = "GET";
  route.pattern = "/file";
  route.handle = [this](const ServerRequest&) {
    ServerResponse response;
    response.file = dir_.path() / "source";
    return response;
  };
  auto server = start_http_server(test::small_server(), {route});
  Download what;
  what.url = server->url() + "/file";
  what.destination = target();
  what.digest = Digest::of(bytes_);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { download_file(*client_, what); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(read_file(target()), bytes_);
  EXPECT_EQ(left(), std::vector<std::string>{"file.whl"});
}

TEST_F(DownloadTest, ResumesFromOurOwnServer) {
  write_file_atomic(dir_.path() / "source", bytes_);
  std::atomic<int> ranges{0};
  Route route;
  route.method = "GET";
  route.pattern = "/file";
  route.handle = [&](const ServerRequest& request) {
    ranges += request.headers.has("Range");
    ServerResponse response;
    response.file = dir_.path() / "source";
    return response;
  };
  auto server = start_http_server(test::small_server(), {route});
  HttpRequest head;
  head.method = "HEAD";
  head.url = server->url() + "/file";
  std::string etag(client_->send(head).headers.get("ETag"));
  make_dirs(target().parent_path());
  write_file_atomic(target().string() + ".part", bytes_.substr(0, 70'000));
  write_file_atomic(target().string() + ".part.etag", Digest::of(head.url).hex() + "\n" + etag + "\n");
  Download what;
  what.url = head.url;
  what.destination = target();
  uint64_t first_progress = 0;
  what.on_progress = [&](uint64_t done, uint64_t) { first_progress = first_progress == 0 ? done : first_progress; };
  EXPECT_EQ(download_file(*client_, what), Digest::of(bytes_));
  EXPECT_GT(first_progress, 70'000u);
  EXPECT_EQ(ranges, 1);
}

}  // namespace
}  // namespace dae
