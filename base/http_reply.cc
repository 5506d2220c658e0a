#include "base/http_reply.h"

#include <fmt/format.h>

#include "base/http_conditional.h"
#include "base/http_known_answer.h"
#include "base/http_reply_head.h"
#include "base/log.h"
#include "base/value.h"

namespace dae {

namespace {

class Builder {
 public:
  Builder(const ServerRequest& request, ServerResponse response, const ReplyContext& context)
      : request_(request), response_(std::move(response)), context_(context) {}

  Reply build() {
    begin();
    if (response_.stream) {
      build_stream();
    } else if (response_.growing) {
      build_growing();
    } else if (!response_.file.empty()) {
      bytes_ = open_shared(response_.file);
      build_file();
    } else {
      build_body();
    }
    return std::move(reply_);
  }

  Reply build_from(const KnownAnswer& answer) {
    begin();
    bytes_ = answer.bytes;
    if (answer.is_file) {
      build_file();
    } else {
      build_body();
    }
    return std::move(reply_);
  }

 private:
  void begin() {
    reply_.status = response_.status;
    reply_.reason = clean_reason(response_.reason);
    reply_.keep_alive = context_.keep_alive;
    is_head_ = request_.method == "HEAD";
    selectable_ = response_.status == 200 && (is_head_ || request_.method == "GET");
  }

  // `length` none: unknown, so chunked or until close.
  void finish(std::optional<uint64_t> length) {
    std::string fields;
    append_fields(&fields, reply_.status, response_.headers, length);
    write_head(&reply_, context_, fields);
  }

  void add_etag() {
    if (!response_.etag.empty()) response_.headers.set("ETag", "\"" + response_.etag + "\"");
  }

  void become_not_modified() {
    reply_.status = 304;
    response_.headers.erase("Content-Type");
    response_.headers.erase("Content-Encoding");
    finish(std::nullopt);
  }

  void build_stream() {
    add_etag();
    reply_.event_stream = response_.headers.get("Content-Type").starts_with("text/event-stream");
    reply_.chunked = context_.http_minor == 1;
    if (!reply_.chunked) reply_.keep_alive = false;
    if (!is_head_) reply_.stream = std::move(response_.stream);
    finish(std::nullopt);
  }

  void build_body() {
    add_etag();
    if (selectable_ && is_not_modified(request_.headers, {.etag = response_.etag})) return become_not_modified();
    const uint64_t size_bytes = bytes_ ? bytes_->size_bytes : response_.body.size();
    finish(size_bytes);
    if (is_head_ || has_no_body(reply_.status)) return;
    if (bytes_) return attach({0, size_bytes});
    reply_.body = std::move(response_.body);
  }

  void build_file() {
    complete_file_fields(&response_, *bytes_);
    Validators validators{.etag = response_.etag, .last_modified_ms = bytes_->mtime_ns / 1'000'000'000 * 1000};
    add_etag();
    ByteRange range{0, bytes_->size_bytes};
    if (selectable_) {
      if (is_not_modified(request_.headers, validators)) return become_not_modified();
      response_.headers.set("Accept-Ranges", "bytes");
      if (!select_range(validators, bytes_->size_bytes, &range)) return;
    }
    finish(range.length);
    if (!is_head_) attach(range);
  }

  void build_growing() {
    const std::shared_ptr<GrowingFile> growing = std::move(response_.growing);
    const Validators validators{.etag = response_.etag};
    add_etag();
    ByteRange range{0, growing->size_bytes()};
    if (selectable_) {
      if (is_not_modified(request_.headers, validators)) return become_not_modified();
      response_.headers.set("Accept-Ranges", "bytes");
      if (!select_range(validators, growing->size_bytes(), &range)) return;
    }
    finish(range.length);
    if (is_head_) return;
    reply_.file = growing->fd();
    reply_.file_offset = range.offset;
    reply_.file_left = range.length;
    reply_.growing = growing;
  }

  // False: answered 416.
  bool select_range(const Validators& validators, uint64_t size_bytes, ByteRange* range) {
    if (is_head_) return true;  // RFC 9110 section 14.2: Range is for GET
    switch (pick_range(request_.headers, validators, size_bytes, range)) {
      case RangeAnswer::whole:
        return true;
      case RangeAnswer::part:
        reply_.status = 206;
        response_.headers.set("Content-Range", fmt::format("bytes {}-{}/{}", range->offset,
                                                           range->offset + range->length - 1, size_bytes));
        return true;
      case RangeAnswer::unsatisfiable:
        break;
    }
    reply_.status = 416;
    response_.headers.set("Content-Range", fmt::format("bytes */{}", size_bytes));
    response_.headers.erase("Content-Type");
    finish(0);
    return false;
  }

  void attach(const ByteRange& range) {
    if (!bytes_->file.valid()) {
      reply_.shared_body = std::string_view(bytes_->memory).substr(range.offset, range.length);
    } else if (range.length <= kInlineBytes) {
      reply_.body = read_slice(*bytes_, range.offset, range.length);
      return;
    } else {
      reply_.file = bytes_->file.get();
      reply_.file_offset = range.offset;
      reply_.file_left = range.length;
    }
    reply_.shared = bytes_;
  }

  const ServerRequest& request_;
  ServerResponse response_;
  const ReplyContext& context_;
  std::shared_ptr<const SharedBytes> bytes_;
  Reply reply_;
  bool is_head_ = false, selectable_ = false;
};

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::not_found:
      return 404;
    case ErrorKind::bad_input:
    case ErrorKind::usage:
      return 400;
    case ErrorKind::refused:
      return 409;
    case ErrorKind::verification:
      return 422;
    case ErrorKind::network:
      return 502;
    default:
      return 500;
  }
}

}  // namespace

ServerResponse problem_of(const Error& error) {
  int status = status_of(error.kind());
  Value document = Value::object({{"detail", error.what()},
                                  {"kind", error_kind_name(error.kind())},
                                  {"status", status},
                                  {"title", error.message()},
                                  {"type", "about:blank"}});
  if (!error.subject().empty()) document.set("subject", error.subject());
  if (!error.hint().empty()) document.set("hint", error.hint());
  return ServerResponse::json(status, canonical_json(document), "application/problem+json");
}

void Reply::clear() {
  std::string kept = std::move(head);
  kept.clear();
  *this = Reply();
  head = std::move(kept);
}

Reply make_reply(const ServerRequest& request, ServerResponse response, const ReplyContext& context) {
  try {
    return Builder(request, std::move(response), context).build();
  } catch (const Error& error) {
    log_error("cannot send an answer", {{"path", request.path}, {"error", error.what()}});
    return Builder(request, problem_of(error), context).build();
  }
}

Reply make_shared_reply(const ServerRequest& request, const KnownAnswer& answer, const ReplyContext& context) {
  try {
    return Builder(request, answer.response, context).build_from(answer);
  } catch (const Error& error) {
    log_error("cannot send an answer", {{"path", answer.path}, {"error", error.what()}});
    return Builder(request, problem_of(error), context).build();
  }
}

}  // namespace dae
