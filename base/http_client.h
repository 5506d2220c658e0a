#pragma once
// The one HTTP client: a single libcurl multi engine on its own thread. HTTP/2 with multiplexing, keep-alive, at most
// `max_per_host` connections a host, retries with exponential back-off and jitter that honour Retry-After, redirects
// (credentials never follow to another host), proxies from the environment, netrc, CA options.
// `Transport` is the seam: library code takes Transport&, tests hand in a scripted one.
#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "base/fs.h"
#include "base/hash.h"
#include "base/http.h"

namespace dae {

// Where a request and its redirects may go. Checked by name before a redirect is followed and by address when a
// connection is opened; behind a proxy, which looks up the names, only the former.
struct Reach {
  bool outward_only = false;  // nowhere into one's own network (base/inward_address.h): Error refused
  std::string inward_host;    // but for this host
};

// AWS Signature Version 4 (aws4_request, signed headers), made anew for each attempt. A signed request follows no
// redirect, its path has unreserved characters only (RFC 3986 section 2.3), and a `body_file` needs the field
// x-amz-content-sha256. Never logged.
struct RequestSigning {
  std::string access_key, secret_key, session_token;
  std::string region, service = "s3";
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  Headers headers;
  std::string body;
  Path body_file;                           // streamed when set, instead of `body`
  int64_t timeout_ms = 0;                   // everything, retries too; 0: only the idle limit (30 s without a byte)
  uint64_t body_limit_bytes = 64ull << 20;  // a larger answer is an Error (bad_input), never memory
  int retries = 3;                          // of idempotent methods, on 408/429/5xx and broken connections
  bool follow_redirects = true;
  Reach reach;
  std::string unix_socket;   // connect here instead of to the URL's host
  std::string bearer_token;  // sent as Authorization; never logged, dropped on cross-host redirects
  std::optional<RequestSigning> signing;
  // For what may not be done twice: no retries, and a connection of its own, as libcurl sends again by itself what a
  // connection that it had kept open did not answer.
  bool send_once = false;
  // Receives the body piece by piece instead of HttpResponse::body (only for 2xx). Called on the engine's thread; must
  // not block long; an exception ends the transfer and is rethrown by send(). After a retry it is called from the
  // first byte again, preceded by `on_restart`; without an `on_restart` nothing is retried once bytes were handed out.
  std::function<void(std::string_view)> on_body;
  std::function<void()> on_restart;
  std::function<void(int status, const Headers&)> on_headers;  // final answer's, before its body
  // Called on the engine's thread when the future is ready, for whoever waits for many. Must not throw.
  std::function<void()> on_done;
};

struct HttpResponse {
  int status = 0;
  Headers headers;
  std::string body;
  std::string effective_url;
  int64_t duration_ms = 0;
  bool ok() const { return status >= 200 && status < 300; }
};

class Transport {
 public:
  virtual ~Transport() = default;
  // Any status is an answer. Throws Error network when there is none (after retries); subject = the redacted URL.
  // Safe from any thread.
  virtual HttpResponse send(HttpRequest request) = 0;
  virtual std::future<HttpResponse> send_async(HttpRequest request) = 0;
};

struct HttpClientOptions {
  std::string user_agent;  // default "dae/<version>"
  Path ca_file;            // default: $SSL_CERT_FILE, $CURL_CA_BUNDLE, else the system's
  int max_per_host = 16;
  int max_total = 64;
  int64_t connect_timeout_ms = 10'000;
  int64_t idle_timeout_ms = 30'000;
  int64_t retry_base_ms = 250;  // 250, 500, 1000 … with ±20 % jitter, capped at 10 s
  bool offline = false;         // every send() throws Error refused without opening a socket
};

std::unique_ptr<Transport> make_http_client(HttpClientOptions options = {});

// Downloads into `destination` through `destination`.part: resumes a partial file with Range/If-Range, checks size and
// digest (when given) before the rename. Wrong digest: Error verification, nothing left behind.
struct Download {
  std::string url;
  Path destination;
  std::optional<Digest> digest;
  std::optional<uint64_t> size_bytes;
  uint64_t limit_bytes = 4ull << 30;
  Headers headers;
  std::string bearer_token;
  Reach reach;
  std::function<void(uint64_t done, uint64_t total)> on_progress;
  std::function<void()> on_restart;               // what came so far does not count: it is thrown away after this call
  std::shared_ptr<const std::atomic<bool>> stop;  // once true, the transfer ends with its next bytes (interrupted)
};
// Returns the digest of the bytes.
Digest download_file(Transport& transport, const Download& download);

}  // namespace dae
