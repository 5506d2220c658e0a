#pragma once
// A server with small pages of every kind, and a client, for the tests of the HTTP server.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/http_client.h"
#include "base/http_server.h"
#include "base/value.h"
#include "http_test_support.h"

namespace dae::test {

inline std::string pattern_bytes(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 131 + i / 251) & 0xff);
  return bytes;
}

inline Route route(std::string method, std::string pattern,
                   std::function<ServerResponse(const ServerRequest&)> handle) {
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

}  // namespace dae::test
