// What happens between the header of a request and its body: it is let in, or turned away.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/error.h"
#include "base/http_connection.h"
#include "base/log.h"
#include "base/strings.h"

namespace dae {

namespace {

constexpr int kReadsPerTurn = 32;  // of 64 KiB: then the loop's other connections have their turn

}  // namespace

// What the client sends meanwhile waits in the socket.
void Connection::ask_for_admission() {
  state_ = State::admitting;
  deadline_ms_ = 0;
  core_.pool->submit([self = shared_from_this()] { self->admit(); });
}

void Connection::admit() {
  bool refused = false;
  const bool has_body = work_->parser.has_body();
  if (!gone_) {
    const ServerRequest& request = work_->parser.request();
    if (auto answer = guarded([&] { return work_->route->admit(request); })) {
      refused = true;
      // What is left of a request cannot be told from a next one.
      const bool keep_alive = !has_body && work_->parser.keep_alive() && !core_.draining;
      work_->reply =
          make_reply(request, std::move(*answer), {core_.options.server_name, work_->parser.http_minor(), keep_alive});
    }
  }
  home_.loop.post([self = shared_from_this(), refused, has_body] {
    if (self->gone_) return self->close();
    if (!refused) return self->go_on_after_admission();
    self->unread_input_ = has_body;
    self->begin_reply();
  });
}

void Connection::go_on_after_admission() {
  if (!accept_body(*work_->route)) return;
  if (state_ != State::body) return dispatch();
  read_some();
}

// False: answered already.
bool Connection::accept_body(const Route& route) {
  if (work_->parser.content_length().value_or(0) > route.body_limit_bytes) {
    return refuse(413, "at most " + format_bytes(route.body_limit_bytes) + " are taken here");
  }
  if (!work_->parser.has_body() && !route.spool_body) return true;
  try {
    work_->body = std::make_unique<BodySink>(route, core_.options.spool_dir, &work_->parser.request(), *core_.pool);
  } catch (const Error& error) {
    log_error("cannot take an upload", {{"error", error.what()}});
    return refuse(507, "there is no room for the upload");
  }
  work_->parser.on_body([this](std::string_view piece) {
    int status = work_->body->take(piece);
    if (status != 0) work_->parser.fail_with(status);
    return status == 0;
  });
  if (work_->parser.expects_continue() && work_->in_pos == work_->in.size()) {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    // The socket's buffer is empty before an answer, so a short write means that the client is in trouble.
    if (send(watch_.fd(), kContinue.data(), kContinue.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(kContinue.size())) {
      close();
      return false;
    }
  }
  if (work_->parser.has_body()) {
    state_ = State::body;
    set_deadline(core_.options.idle_timeout_ms);
  }
  return true;
}

// Answers from the loop itself. What is left of the request cannot be told from a next one, so the connection ends;
// only a request that is complete and well-formed (404, 405) keeps it. Always false, for `return refuse(...)`.
bool Connection::refuse(int status, std::string_view detail, const Headers& extra) {
  bool complete =
      state_ == State::header && work_->parser.error_status() == 0 && !work_->parser.has_body() && status != 408;
  unread_input_ = !complete;
  work_->body.reset();
  ServerResponse response = ServerResponse::problem(status, lower(http_reason(status)), std::string(detail));
  for (const auto& [name, value] : extra.fields()) response.headers.add(name, value);
  ReplyContext context{core_.options.server_name, complete ? work_->parser.http_minor() : 1,
                       complete && work_->parser.keep_alive() && !core_.draining};
  start_reply(make_reply(work_->parser.request(), std::move(response), context));
  return false;
}

// Closing with unread bytes sends a reset, which may overtake the answer: read them away first, for a while. The end of
// our side is sent before, so that a reset at last is a broken pipe to the client (Linux), after which clients still
// look for an answer.
void Connection::linger() {
  const int64_t now_ms = home_.loop.now_ms();
  if (state_ != State::lingering) {
    state_ = State::lingering;
    shutdown(watch_.fd(), SHUT_WR);
    linger_until_ms_ =
        now_ms + (core_.draining ? std::min(kLingerIdleMs, core_.options.linger_ms) : core_.options.linger_ms);
  }
  if (now_ms >= linger_until_ms_) return close();
  deadline_ms_ = std::min(linger_until_ms_, now_ms + kLingerIdleMs);
  for (int turn = 0; turn < kReadsPerTurn; ++turn) {
    ssize_t got = recv(watch_.fd(), home_.scratch.data(), home_.scratch.size(), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return close();
    if (got < 0 && errno == EAGAIN) return;
  }
  home_.loop.post([self = shared_from_this()] {
    if (self->state_ == State::lingering) self->linger();
  });
}

}  // namespace dae
