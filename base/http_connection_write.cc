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

constexpr uint64_t kFileBytesPerTurn = 4 << 20;  // then the loop's other connections have their turn
constexpr int kStreamPollMs = 100;

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

}  // namespace

void Connection::start_reply(Reply reply) {
  reply_ = std::move(reply);
  begin_reply();
}

void Connection::begin_reply() {
  memory_sent_ = 0;
  body_bytes_sent_ = 0;
  state_ = State::writing;
  set_deadline(core_.options.idle_timeout_ms);
  pump();
}

void Connection::pump() {
  if (state_ != State::writing) return;  // timed out while waiting for room
  if (send_memory() && send_file()) reply_sent();
}

bool Connection::send_memory() {
  const std::string_view body = reply_.memory();
  size_t head_size = reply_.head.size(), total = head_size + body.size();
  while (memory_sent_ < total) {
    size_t skip_head = std::min(memory_sent_, head_size), skip_body = memory_sent_ - skip_head;
    iovec parts[2] = {{reply_.head.data() + skip_head, head_size - skip_head},
                      {const_cast<char*>(body.data()) + skip_body, body.size() - skip_body}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    // MSG_MORE lets header and first bytes of the file leave in one segment.
    ssize_t sent = sendmsg(watch_.fd(), &message, MSG_NOSIGNAL | (reply_.file_left > 0 ? MSG_MORE : 0));
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && would_block(errno)) return false;  // on_event() goes on
    if (sent < 0) {
      close();
      return false;
    }
    memory_sent_ += static_cast<size_t>(sent);
    if (memory_sent_ > head_size) body_bytes_sent_ = memory_sent_ - head_size;
    set_deadline(core_.options.idle_timeout_ms);
  }
  return true;
}

bool Connection::send_file() {
  uint64_t budget = kFileBytesPerTurn;
  while (reply_.file_left > 0) {
    if (budget == 0) {
      home_.loop.post([self = shared_from_this()] { self->pump(); });
      return false;
    }
    auto offset = static_cast<off_t>(reply_.file_offset);
    ssize_t sent = sendfile(watch_.fd(), reply_.file, &offset, std::min(reply_.file_left, budget));
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && would_block(errno)) return false;
    if (sent <= 0) {  // the client is gone, or the file became shorter: the promised length cannot be kept
      if (sent == 0) log_error("a file became shorter while it was sent", {{"path", parser_.request().path}});
      close();
      return false;
    }
    auto bytes = static_cast<uint64_t>(sent);
    reply_.file_offset += bytes;
    reply_.file_left -= bytes;
    body_bytes_sent_ += bytes;
    budget -= bytes;
    set_deadline(core_.options.idle_timeout_ms);
  }
  return true;
}

void Connection::reply_sent() {
  report_access();
  bool keep_alive = reply_.keep_alive;
  reply_.clear();
  if (keep_alive) return next_request();
  if (unread_input_ || in_pos_ < in_.size()) return linger();
  close();
}

void Connection::handle() {
  if (!gone_) {
    ServerResponse response = run_handler();
    body_.reset();
    ReplyContext context{core_.options.server_name, parser_.http_minor(), parser_.keep_alive() && !core_.draining};
    reply_ = make_reply(parser_.request(), std::move(response), context);
    body_bytes_sent_ = 0;
    if (reply_.stream) return stream_out();
  }
  home_.loop.post([self = shared_from_this()] {
    if (self->gone_) return self->close();
    self->start_reply(std::move(self->reply_));
  });
}

ServerResponse Connection::run_handler() {
  const ServerRequest& request = parser_.request();
  try {
    return route_->handle(request);
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
  bool alive = write_blocking(reply_.head), cut = false;
  auto write = [&](std::string_view piece) {
    cut = cut || (reply_.event_stream && core_.draining);
    if (!alive || cut) return false;
    if (piece.empty()) return alive = !client_gone() || core_.draining;
    alive = reply_.chunked ? write_blocking(fmt::format("{:x}\r\n{}\r\n", piece.size(), piece)) : write_blocking(piece);
    if (alive) body_bytes_sent_ += piece.size();
    return alive;
  };
  bool complete = true;
  try {
    if (alive) reply_.stream(write);
  } catch (const std::exception& error) {
    // The header is out: only a missing last chunk can tell the client that this is not all.
    log_error("a stream broke", {{"path", parser_.request().path}, {"error", error.what()}});
    complete = false;
  }
  if (alive && complete && reply_.chunked) alive = write_blocking("0\r\n\r\n");
  reply_.stream = nullptr;
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
      if (waited_ms >= core_.options.idle_timeout_ms || (reply_.event_stream && core_.draining)) return false;
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
