#pragma once
// One client's connection: bytes -> request -> worker -> answer -> next request. Internal to the HTTP server.
// Everything runs on the connection's loop, but admit() and handle() and what they call, which run on a worker while
// the loop keeps its hands off (states `admitting`, `handling`): the loop then only sets `gone_` and shuts the socket
// down.
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/http_body_sink.h"
#include "base/http_loop.h"
#include "base/http_reply.h"
#include "base/http_request_parser.h"
#include "base/http_router.h"
#include "base/http_server.h"
#include "base/worker_pool.h"

namespace dae {

class Connection;

// A client that was refused and sends nothing for so long is not waited for.
inline constexpr int64_t kLingerIdleMs = 2'000;
// Who has just connected when a drain begins has its first request on the way: to close at once would lose it.
inline constexpr int64_t kFirstRequestMs = 200;

// What all connections of a server share.
struct ServerCore {
  ServerCore(ServerOptions server_options, std::vector<Route> routes)
      : options(std::move(server_options)), router(std::move(routes)) {}

  const ServerOptions options;
  const Router router;
  std::unique_ptr<WorkerPool> pool;
  std::atomic<bool> draining{false};

  void connection_opened();
  void connection_closed();
  int connections() const;
  bool wait_until_empty(int64_t at_most_ms);  // < 0: as long as it takes

 private:
  mutable std::mutex mutex_;
  std::condition_variable empty_;
  int connections_ = 0;
};

// What one request and its answer need. Idle connections have none: with thousands of them the one that serves this
// request served the last, and is still in the processor's cache (measured at 4,000 connections: 8 -> 7 us a page).
struct Exchange {
  std::string in;
  size_t in_pos = 0;
  RequestParser parser;
  const Route* route = nullptr;
  std::unique_ptr<BodySink> body;
  Reply reply;
  size_t memory_sent = 0;  // of head and what follows it in memory
  uint64_t body_bytes_sent = 0;
};

struct ServerLoop {
  EventLoop loop;
  std::vector<std::unique_ptr<Exchange>> spare;  // loop's thread only, as all that follows; the last is the warmest
  std::map<const Connection*, std::shared_ptr<Connection>> connections;
  std::string scratch = std::string(64 << 10, '\0');  // what recv(2) fills
  std::thread thread;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ServerCore& core, ServerLoop& home, Fd socket, std::string remote);
  ~Connection();

  void start();
  void check_deadline(int64_t now_ms);
  void begin_drain();
  void abort();

 private:
  enum class State { idle, header, admitting, body, handling, writing, lingering, closed };

  // http_connection.cc
  void read_some();
  void on_event(Readiness ready);
  bool receive_once();  // false: nothing to read now
  void take_work();
  void leave_work();
  bool is_idle() const;
  bool is_fresh() const { return state_ == State::header && request_started_ms_ == 0; }  // was never asked anything
  void parse();
  void begin_header();
  bool on_header();
  bool answer_known();
  void dispatch();
  void next_request();
  void close();
  void report_access();
  bool is_with_worker() const { return state_ == State::admitting || state_ == State::handling; }
  bool wants_bytes() const { return state_ == State::idle || state_ == State::header || state_ == State::body; }
  void set_deadline(int64_t in_ms);

  // http_connection_body.cc
  void ask_for_admission();
  void admit();  // worker
  void go_on_after_admission();
  bool accept_body(const Route& route);
  bool refuse(int status, std::string_view detail, const Headers& extra = {});
  void linger();

  // http_connection_write.cc
  void start_reply(Reply reply);
  void begin_reply();
  void pump();
  bool send_memory();  // false: not all yet, or closed
  bool send_file();
  uint64_t sendable() const;
  void wait_for_growth();
  void reply_sent();
  void handle();                                                                                            // worker
  ServerResponse run_handler();                                                                             // worker
  std::optional<ServerResponse> guarded(const std::function<std::optional<ServerResponse>()>& make) const;  // worker
  void stream_out();                                                                                        // worker
  bool write_blocking(std::string_view bytes);                                                              // worker
  bool client_gone() const;                                                                                 // worker

  ServerCore& core_;
  ServerLoop& home_;
  EventLoop::Watch watch_;
  const std::string remote_;
  State state_ = State::header;
  std::atomic<bool> gone_{false};
  int64_t deadline_ms_ = 0;  // monotonic; 0: none
  int64_t linger_until_ms_ = 0;
  int64_t request_started_ms_ = 0;
  bool reading_ = false;  // read_some() is on the stack and will go on by itself
  bool can_read_ = false, hung_up_ = false;
  int answers_this_turn_ = 0;

  std::unique_ptr<Exchange> work_;  // from the first byte of a request until it is answered
  bool unread_input_ = false;       // a body was refused: linger so that the answer is not lost to a reset
  bool reported_ = true;
};

}  // namespace dae
