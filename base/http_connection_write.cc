// The answering half of a connection.
#include <fmt/format.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/error.h"
#include "base/http_connection.h"
#include "base/log.h"

namespace dae {

namespace {

// Then the loop's other connections have their turn. Clients of one file that keep close together find its pages in the
// processor's cache: with 4,000 of them 2 MiB cost 7.4 ms per 100 MiB where 4 MiB cost 7.7; with 32, 1 MiB costs more.
constexpr uint64_t kFileBytesPerTurn = 2 << 20;
constexpr int kStreamPollMs = 100;

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

// Asking sendfile(2) again instead finds its pages first and then lets go of them: every second call was for nothing.
// The question also makes the socket tell when there is room again, as a call that fails would.
bool has_room(int socket) {
  pollfd state{socket, POLLOUT, 0};
  return poll(&state, 1, 0) != 0;
}

}  // namespace

void Connection::start_reply(Reply reply) {
  work_->reply = std::move(reply);
  begin_reply();
}

void Connection::begin_reply() {
  work_->memory_sent = 0;
  work_->body_bytes_sent = 0;
  state_ = State::writing;
  set_deadline(core_.options.idle_timeout_ms);
  pump();
}

void Connection::pump() {
  if (state_ != State::writing) return;  // timed out while waiting for room
  if (send_memory() && send_file()) reply_sent();
}

bool Connection::send_memory() {
  const std::string_view body = work_->reply.memory();
  size_t head_size = work_->reply.head.size(), total = head_size + body.size();
  while (work_->memory_sent < total) {
    size_t skip_head = std::min(work_->memory_sent, head_size), skip_body = work_->memory_sent - skip_head;
    iovec parts[2] = {{work_->reply.head.data() + skip_head, head_size - skip_head},
                      {const_cast<char*>(body.data()) + skip_body, body.size() - skip_body}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    // MSG_MORE lets header and first bytes of the file leave in one segment.
    ssize_t sent = sendmsg(watch_.fd(), &message, MSG_NOSIGNAL | (sendable() > 0 ? MSG_MORE : 0));
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && would_block(errno)) return false;  // on_event() goes on
    if (sent < 0) {
      close();
      return false;
    }
    work_->memory_sent += static_cast<size_t>(sent);
    if (work_->memory_sent > head_size) work_->body_bytes_sent = work_->memory_sent - head_size;
    set_deadline(core_.options.idle_timeout_ms);
  }
  return true;
}

// Of the file; 0 also while a growing one has no more yet.
uint64_t Connection::sendable() const {
  const Reply& reply = work_->reply;
  if (!reply.growing) return reply.file_left;
  if (reply.growing->state() == GrowingFile::State::broken) return 0;
  const uint64_t readable = reply.growing->readable_bytes();
  return readable <= reply.file_offset ? 0 : std::min(reply.file_left, readable - reply.file_offset);
}

void Connection::wait_for_growth() {
  // A client that left in the meantime is not told by a write that fails: there is none.
  if (hung_up_ || work_->reply.growing->state() == GrowingFile::State::broken) return close();
  work_->reply.growing->wake_beyond(work_->reply.file_offset, [weak = weak_from_this()] {
    auto self = weak.lock();  // given away whole: its end is for the loop's thread
    if (!self) return;
    EventLoop& loop = self->home_.loop;
    loop.post([self = std::move(self)] { self->pump(); });
  });
}

bool Connection::send_file() {
  uint64_t budget = kFileBytesPerTurn;
  while (work_->reply.file_left > 0) {
    if (budget == 0) {
      home_.loop.post([self = shared_from_this()] { self->pump(); });
      return false;
    }
    auto offset = static_cast<off_t>(work_->reply.file_offset);
    const uint64_t asked = std::min(sendable(), budget);
    if (asked == 0) {
      wait_for_growth();
      return false;
    }
    ssize_t sent = sendfile(watch_.fd(), work_->reply.file, &offset, asked);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && would_block(errno)) return false;
    if (sent <= 0) {  // the client is gone, or the file became shorter: the promised length cannot be kept
      if (sent == 0) log_error("a file became shorter while it was sent", {{"path", work_->parser.request().path}});
      close();
      return false;
    }
    auto bytes = static_cast<uint64_t>(sent);
    work_->reply.file_offset += bytes;
    work_->reply.file_left -= bytes;
    work_->body_bytes_sent += bytes;
    budget -= bytes;
    set_deadline(core_.options.idle_timeout_ms);
    if (bytes < asked && !has_room(watch_.fd())) return false;
  }
  return true;
}

void Connection::reply_sent() {
  report_access();
  bool keep_alive = work_->reply.keep_alive;
  work_->reply.clear();
  if (keep_alive) return next_request();
  if (unread_input_ || work_->in_pos < work_->in.size()) return linger();
  close();
}

void Connection::handle() {
  if (!gone_) {
    ServerResponse response = run_handler();
    work_->body.reset();
    ReplyContext context{core_.options.server_name, work_->parser.http_minor(),
                         work_->parser.keep_alive() && !core_.draining};
    work_->reply = make_reply(work_->parser.request(), std::move(response), context);
    work_->body_bytes_sent = 0;
    if (work_->reply.stream) return stream_out();
  }
  home_.loop.post([self = shared_from_this()] {
    if (self->gone_) return self->close();
    self->start_reply(std::move(self->work_->reply));
  });
}

ServerResponse Connection::run_handler() {
  return *guarded([this] { return std::optional(work_->route->handle(work_->parser.request())); });
}

// With what it throws as an answer.
std::optional<ServerResponse> Connection::guarded(const std::function<std::optional<ServerResponse>()>& make) const {
  const ServerRequest& request = work_->parser.request();
  try {
    return make();
  } catch (const Error& error) {
    ServerResponse response = problem_of(error);
    log(response.status >= 500 ? LogLevel::error : LogLevel::info, "a request failed",
        {{"method", request.method}, {"path", request.path}, {"error", error.what()}});
    return response;
  } catch (const std::exception& error) {
    // Not made for readers outside, unlike an Error: it stays in the log.
    log_error("a handler broke", {{"method", request.method}, {"path", request.path}, {"error", error.what()}});
    return ServerResponse::problem(500, "internal server error", "the handler of this path broke; the log says why");
  }
}

void Connection::stream_out() {
  bool alive = write_blocking(work_->reply.head), cut = false;
  auto write = [&](std::string_view piece) {
    cut = cut || (work_->reply.event_stream && core_.draining);
    if (!alive || cut) return false;
    if (piece.empty()) return alive = !client_gone() || core_.draining;
    alive = work_->reply.chunked ? write_blocking(fmt::format("{:x}\r\n{}\r\n", piece.size(), piece))
                                 : write_blocking(piece);
    if (alive) work_->body_bytes_sent += piece.size();
    return alive;
  };
  bool complete = true;
  try {
    if (alive) work_->reply.stream(write);
  } catch (const std::exception& error) {
    // The header is out: only a missing last chunk can tell the client that this is not all.
    log_error("a stream broke", {{"path", work_->parser.request().path}, {"error", error.what()}});
    complete = false;
  }
  if (alive && complete && work_->reply.chunked) alive = write_blocking("0\r\n\r\n");
  work_->reply.stream = nullptr;
  home_.loop.post([self = shared_from_this(), go_on = alive && complete] {
    if (!go_on || self->gone_) return self->close();
    self->reply_sent();
  });
}

bool Connection::write_blocking(std::string_view bytes) {
  int64_t waited_ms = 0;
  while (!bytes.empty()) {
    if (gone_) return false;
    ssize_t sent = send(watch_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
      waited_ms = 0;
    } else if (would_block(errno)) {
      // In slices, because an event stream must also end when the server drains.
      if (waited_ms >= core_.options.idle_timeout_ms || (work_->reply.event_stream && core_.draining)) return false;
      pollfd ready{watch_.fd(), POLLOUT, 0};
      if (poll(&ready, 1, kStreamPollMs) == 0) waited_ms += kStreamPollMs;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool Connection::client_gone() const {
  if (gone_ || core_.draining) return true;
  pollfd state{watch_.fd(), POLLRDHUP, 0};
  return poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace dae
