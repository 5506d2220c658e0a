#pragma once
// HTTP/1.1 server: one event loop per thread, SO_REUSEPORT not needed (accept is shared), Beast's parser; handlers run
// on a worker pool so that they may block, answers that are known already go out from the loop. Files go out by
// sendfile(2) with ranges, conditional requests and HEAD done here. Limits: header 32 KiB, body per route, 60 s idle,
// 30 s for the header, connections.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/growing_file.h"
#include "base/hash.h"
#include "base/http.h"

namespace dae {

struct ServerRequest {
  std::string method;
  std::string target;  // as sent
  std::string path;    // percent-decoded path without query; rejects NUL, and ".." segments are answered 400
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  Headers headers;
  std::optional<uint64_t> announced_bytes;  // Content-Length
  std::string body;                         // complete for normal routes
  Path body_file;  // set for routes with `spool_body`: the body is on disk, not in memory; removed after the handler
  uint64_t body_size_bytes = 0;
  // The digest of `body_file`, computed while it came. Once, and only inside the handler; empty without such a file and
  // in requests made by tests.
  std::function<Digest()> body_sha256;
  std::string remote;                 // "127.0.0.1:54321"
  std::vector<std::string> captures;  // of the route's pattern, in order
  // The client hung up or the server drains: a handler that waits (a long-poll) asks this now and then. Only inside the
  // handler or its stream; empty in requests made by tests.
  std::function<bool()> cancelled;
  std::string query_value(std::string_view key, std::string_view fallback = "") const;
};

struct ServerResponse {
  int status = 200;
  std::string reason;  // instead of the status's own words, for clients that print nothing else; cleaned and cut
  Headers headers;     // Content-Length, Date, Connection are ours
  std::string body;
  Path file;  // when set: sent instead of body, with Range / If-Range / If-None-Match / If-Modified-Since done
  // When set: sent instead of body as far as it has grown, then on as it grows; no worker waits for it. Its size is the
  // Content-Length (conditions and ranges as with `file`), and a client of a file that breaks off loses its connection.
  std::shared_ptr<GrowingFile> growing;
  std::string etag;  // strong validator without quotes; "" none. 304 for GET and HEAD is done here, for bodies too
  // Server-sent events or a long download of unknown length: called on a worker thread until it returns; write()
  // returns false when the client is gone. Sent chunked.
  std::function<void(const std::function<bool(std::string_view)>& write)> stream;

  static ServerResponse text(int status, std::string body, std::string content_type = "text/plain; charset=utf-8");
  static ServerResponse json(int status, std::string body, std::string content_type = "application/json");
  static ServerResponse not_found(std::string what = "");
  // RFC 9457 problem document.
  static ServerResponse problem(int status, std::string title, std::string detail, std::string hint = "");
};

// An answer made once and sent often: its fields are written out, its bytes shared and its file held open. Immutable;
// any thread.
class KnownAnswer;
// Of a 200 without `stream` and `growing`. Costs a descriptor when there are more than 16 KiB. Throws what opening the
// file throws. These go to an unnamed file in `scratch_dir`, or to memory when that cannot be.
std::shared_ptr<const KnownAnswer> make_known_answer(const ServerRequest& request, ServerResponse response,
                                                     const Path& scratch_dir = {});
// Whether the bytes of `response`, which has no file, are those of `answer`: then another need not be made.
bool has_body_of(const KnownAnswer& answer, const ServerResponse& response);
// What it keeps in memory, and whether it keeps a descriptor.
uint64_t memory_bytes(const KnownAnswer& answer);
bool holds_descriptor(const KnownAnswer& answer);
bool has_lost_its_file(const KnownAnswer& answer);  // removed, moved or replaced: a call of the system

struct Route {
  std::string method;  // "GET" also answers HEAD
  // Segments: literal, `{}` one segment, a last `{*}` the rest (may contain '/'), and `{+}` one or more segments in
  // the middle (an OCI repository name). Captures are percent-decoded.
  std::string pattern;
  std::function<ServerResponse(const ServerRequest&)> handle;
  uint64_t body_limit_bytes = 1ull << 20;  // larger: 413 before it is read
  bool spool_body = false;                 // body to a temporary file in `spool_dir`
  // Asked on a worker before a byte of the body is read and before `100 Continue` (RFC 9110 section 10.1.1). An answer
  // (without `stream`) or an Error refuses the request; with a body it is the last of its connection.
  std::function<std::optional<ServerResponse>(const ServerRequest&)> admit = {};
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: the kernel chooses; ask port()
  Path unix_socket;   // instead of address:port
  // Instead of all these the socket that a supervisor listens on and hands over, when there is one (sd_listen_fds(3)):
  // while one server ends and the next begins, connections wait in it.
  bool passed_socket = false;
  int loops = 0;     // 0: one per core
  int workers = 16;  // long-polls hold one each: at least the number of waiting clients
  int max_connections = 4096;
  int64_t header_timeout_ms = 30'000;
  int64_t idle_timeout_ms = 60'000;
  int64_t linger_ms = 30'000;  // what a refused client still sends is read away: a reset might take the answer along
  Path spool_dir;              // default $TMPDIR or /tmp
  std::string server_name = "dae";
  // Asked on an event loop about each GET and HEAD without a body, before routes are: nullptr, and the route's handler
  // is called on a worker. Must not block. Of the request only method, target, headers and remote are set.
  std::function<std::shared_ptr<const KnownAnswer>(const ServerRequest&)> known_answer;
  // Called on a server thread after the last byte of each answer; must not block.
  std::function<void(const ServerRequest&, int status, uint64_t bytes, int64_t duration_ms)> on_access;
};

class HttpServer {
 public:
  virtual ~HttpServer() = default;  // drains
  virtual uint16_t port() const = 0;
  virtual std::string url() const = 0;  // "http://127.0.0.1:8411"
  // Stops accepting, closes idle connections, lets requests in flight end, at most `grace_ms`; then closes. Event
  // streams (text/event-stream) end at once: their write() returns false. Other streams get it when the grace is over.
  virtual void drain(int64_t grace_ms) = 0;
};

// Listens at once. Port in use: Error refused with the port as subject. An Error thrown by a handler becomes a problem
// document (not_found 404, bad_input/usage 400, refused 409, verification 422, network 502, else 500) and is logged.
std::unique_ptr<HttpServer> start_http_server(ServerOptions options, std::vector<Route> routes);

}  // namespace dae
