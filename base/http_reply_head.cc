#include "base/http_reply_head.h"

#include <fmt/format.h>

#include <iterator>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"

namespace dae {

namespace {

constexpr size_t kMaxReasonBytes = 300;

bool is_ours(std::string_view name) {
  static constexpr std::string_view kOurs[] = {"Content-Length",    "Date",       "Connection",
                                               "Transfer-Encoding", "Keep-Alive", "Server"};
  for (std::string_view ours : kOurs) {
    if (iequals(name, ours)) return true;
  }
  return false;
}

bool is_clean(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos;
}

// Written anew once a second: as text it costs as much as the rest of the header.
std::string_view http_date_now() {
  thread_local int64_t second = -1;
  thread_local std::string text;
  const int64_t now_ms = SystemClock().wall_ms();
  if (now_ms / 1000 != second) {
    text = format_http_date(now_ms);
    second = now_ms / 1000;
  }
  return text;
}

}  // namespace

bool has_no_body(int status) {
  return status < 200 || status == 204 || status == 304;
}

std::string clean_reason(std::string_view text) {
  std::string out(text.substr(0, kMaxReasonBytes));
  for (char& c : out) {
    if (c < ' ' || c > '~') c = c == '\n' ? ' ' : '?';
  }
  return out;
}

void append_fields(std::string* text, int status, const Headers& headers, std::optional<uint64_t> length) {
  for (const auto& [name, value] : headers.fields()) {
    if (is_ours(name)) continue;
    // A line break would let whoever chose the value write an answer of his own.
    if (!is_clean(name) || !is_clean(value)) throw Error(ErrorKind::failed, "a line break in a header field", name);
    text->append(name).append(": ").append(value).append("\r\n");
  }
  if (length && !has_no_body(status)) fmt::format_to(std::back_inserter(*text), "Content-Length: {}\r\n", *length);
}

void write_head(Reply* reply, const ReplyContext& context, std::string_view fields) {
  std::string& head = reply->head;
  head.clear();
  head.reserve(fields.size() + 160);
  if (reply->status == 200) {
    head.append("HTTP/1.1 200 OK\r\nServer: ");
  } else {
    const std::string_view reason = reply->reason.empty() ? http_reason(reply->status) : reply->reason;
    fmt::format_to(std::back_inserter(head), "HTTP/1.1 {} {}\r\nServer: ", reply->status, reason);
  }
  head.append(context.server_name).append("\r\nDate: ").append(http_date_now()).append("\r\n").append(fields);
  if (reply->chunked) head += "Transfer-Encoding: chunked\r\n";
  if (!reply->keep_alive) {
    head += "Connection: close\r\n";
  } else if (context.http_minor == 0) {
    head += "Connection: keep-alive\r\n";
  }
  head += "\r\n";
}

}  // namespace dae
