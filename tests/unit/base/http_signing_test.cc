// AWS Signature Version 4: the published examples ("Examples: Signature Calculations", Amazon S3 API reference), and
// what must not be signed.
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "base/http_client.h"
#include "http_test_support.h"

namespace dae::test {
namespace {

constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
constexpr const char* kSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

HttpRequest example(const std::string& url) {
  HttpRequest request;
  request.url = url;
  request.headers.set("Host", "examplebucket.s3.amazonaws.com");
  request.headers.set("X-Amz-Date", "20130524T000000Z");
  request.signing = RequestSigning{
      .access_key = "AKIAIOSFODNN7EXAMPLE", .secret_key = kSecret, .session_token = "", .region = "us-east-1"};
  return request;
}

// The head of what was sent.
std::string sent(const std::string& path, const std::function<void(HttpRequest&)>& adjust = {}) {
  RawServer server({kOk});
  auto client = make_http_client();
  HttpRequest request = example(server.url(path));
  if (adjust) adjust(request);
  client->send(std::move(request));
  return server.requests().at(0);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Error refusal_of(HttpRequest request) {
  try {
    make_http_client()->send(std::move(request));
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "it was sent";
  return {ErrorKind::failed, ""};
}

TEST(HttpSigning, SignsAnObjectsRangeAsPublished) {
  const std::string head = sent("/test.txt", [](HttpRequest& request) { request.headers.set("Range", "bytes=0-9"); });
  EXPECT_TRUE(has(head,
                  "Authorization: AWS4-HMAC-SHA256 "
                  "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                  "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                  "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41\r\n"))
      << head;
}

TEST(HttpSigning, SignsAParameterWithoutAValueAsPublished) {
  const std::string head = sent("/?lifecycle");
  EXPECT_TRUE(has(head, "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543\r\n")) << head;
}

TEST(HttpSigning, SortsAQueryAndSignsItAsPublished) {
  const std::string head = sent("/?prefix=J&max-keys=2");
  EXPECT_TRUE(head.starts_with("GET /?max-keys=2&prefix=J HTTP/1.1\r\n")) << head;
  EXPECT_TRUE(has(head, "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7\r\n")) << head;
}

TEST(HttpSigning, EncodesAQueryTheOneWayThatIsSigned) {
  EXPECT_TRUE(sent("/b?prefix=a/b%2fc%7E&x=1+2").starts_with("GET /b?prefix=a%2Fb%2Fc~&x=1%2B2 HTTP/1.1\r\n"));
}

TEST(HttpSigning, NamesTheBodysDigestAndItsTypeAndTheSession) {
  const std::string head = sent("/a", [](HttpRequest& request) {
    request.method = "PUT";
    request.body = "hello";
    request.signing->session_token = "of-the-hour";
  });
  EXPECT_TRUE(has(head, "x-amz-content-sha256: " + Digest::of("hello").hex() + "\r\n")) << head;
  EXPECT_TRUE(has(head, "x-amz-security-token: of-the-hour\r\n")) << head;
  EXPECT_TRUE(has(head, "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"))
      << head;
  EXPECT_FALSE(has(head, kSecret)) << head;
}

TEST(HttpSigning, FollowsNoRedirect) {
  RawServer elsewhere({kOk});
  RawServer server({"HTTP/1.1 307 Temporary Redirect\r\nLocation: " + elsewhere.url() +
                    "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"});
  EXPECT_EQ(make_http_client()->send(example(server.url("/a"))).status, 307);
  EXPECT_TRUE(elsewhere.requests().empty());
  RawClient(static_cast<uint16_t>(parse_url(elsewhere.url()).port)).ask("GET / HTTP/1.1\r\n\r\n");  // ends its thread
}

TEST(HttpSigning, RefusesWhatItWouldSignWrongly) {
  const auto url = [](const std::string& path) { return "http://127.0.0.1:9" + path; };
  for (const char* path : {"/a%20b", "/a+b", "/a=b"}) {
    EXPECT_EQ(refusal_of(example(url(path))).kind(), ErrorKind::bad_input) << path;
  }
  HttpRequest empty_field = example(url("/a"));
  empty_field.headers.set("x-amz-meta", "");
  EXPECT_EQ(refusal_of(empty_field).kind(), ErrorKind::bad_input);
  HttpRequest unsortable = example(url("/a"));
  unsortable.headers.set("x-amz-copy-source", "/b/c");
  unsortable.headers.set("x-amz-copy-source-if-match", "d");
  EXPECT_EQ(refusal_of(unsortable).kind(), ErrorKind::bad_input);
  HttpRequest file = example(url("/a"));
  file.body_file = "/dev/null";
  EXPECT_EQ(refusal_of(file).kind(), ErrorKind::bad_input);
  HttpRequest broken = example(url("/a"));
  broken.signing->secret_key = "two\nlines";
  const Error error = refusal_of(broken);
  EXPECT_EQ(error.kind(), ErrorKind::bad_input);
  EXPECT_FALSE(has(render_error(error), "two"));
}

TEST(HttpSigning, LeavesTheSecretOutOfErrors) {
  const Error error = refusal_of(example("http://127.0.0.1:1/a"));
  EXPECT_EQ(error.kind(), ErrorKind::network);
  EXPECT_FALSE(has(render_error(error), kSecret));
  EXPECT_FALSE(has(render_error(error), "AKIA"));
}

// Answers the first request and keeps its connection; hangs up after every other.
class FickleServer {
 public:
  FickleServer() {
    fd_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd_.get(), 16) != 0) return;
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/a";
    thread_ = std::thread([this] { run(); });
  }
  ~FickleServer() {
    shutdown(fd_.get(), SHUT_RDWR);
    thread_.join();
    for (std::thread& connection : connections_) connection.join();
  }
  const std::string& url() const { return url_; }
  int requests() const { return requests_; }

 private:
  void run() {
    for (;;) {
      const int peer = accept(fd_.get(), nullptr, nullptr);
      if (peer < 0) return;
      connections_.emplace_back([this, peer] { talk(Fd(peer)); });
    }
  }
  void talk(Fd peer) {
    std::string request;
    char buffer[4096];
    for (ssize_t got; (got = recv(peer.get(), buffer, sizeof buffer, 0)) > 0;) {
      request.append(buffer, static_cast<size_t>(got));
      if (request.find("\r\n\r\n") == std::string::npos) continue;
      request.clear();
      if (++requests_ > 1) return;
      constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
      (void)!send(peer.get(), kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
    }
  }

  Fd fd_;
  std::string url_;
  std::atomic<int> requests_{0};
  std::vector<std::thread> connections_;
  std::thread thread_;
};

TEST(HttpSigning, SendsOnceWhatMayNotBeDoneTwice) {
  FickleServer server;
  const auto client = make_http_client();  // goes first: its connections end the server's threads
  HttpRequest first;
  first.url = server.url();
  EXPECT_EQ(client->send(first).status, 200);
  HttpRequest once = example(server.url());
  once.method = "PUT";
  once.send_once = true;
  try {
    client->send(once);
    FAIL() << "nobody answered";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::network);
  }
  EXPECT_EQ(server.requests(), 2);
}

}  // namespace
}  // namespace dae::test
