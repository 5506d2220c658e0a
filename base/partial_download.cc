#include "base/partial_download.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/http_retry.h"
#include "base/log.h"
#include "base/part_file.h"
#include "base/strings.h"

namespace dae {
namespace {

// A server that cuts every connection ends the download after so many of them, or after so few when each brought next
// to nothing.
constexpr int kMaxRounds = 64, kMaxPoorRounds = 5;
constexpr uint64_t kPoorRoundBytes = 64 << 10;
constexpr int64_t kPauseMs = 250;

Error answered(int status, const std::string& subject) {
  ErrorKind kind = status == 404 || status == 410                    ? ErrorKind::not_found
                   : status == 401 || status == 403 || status == 407 ? ErrorKind::refused
                                                                     : ErrorKind::network;
  Error error(kind, "cannot download", subject);
  error.because(fmt::format("the server answered {} {}", status, http_reason(status)));
  if (status == 401 || status == 403) error.with_hint("is a token or password for this server configured?");
  return error;
}

// The first byte of "bytes 100-199/200"; -1 when it is not that.
int64_t content_range_start(std::string_view field) {
  if (!field.starts_with("bytes ")) return -1;
  field.remove_prefix(6);
  return parse_int(field.substr(0, field.find('-'))).value_or(-1);
}

std::string validator_of(const Headers& headers) {
  std::string_view etag = headers.get("ETag");
  // RFC 9110 section 13.1.5: a weak tag says nothing about bytes.
  if (etag.starts_with('"') && etag.size() > 2) return std::string(etag);
  return std::string(headers.get("Last-Modified"));
}

}  // namespace

std::shared_ptr<PartialDownload> PartialDownload::begin(Download download, const Path& part) {
  auto file = PartFile::try_open(part);
  if (!file) return nullptr;
  std::shared_ptr<PartialDownload> out(new PartialDownload(std::move(download), std::move(file)));
  out->resume();
  return out;
}

PartialDownload::PartialDownload(Download download, std::unique_ptr<PartFile> part)
    : want_(std::move(download)), part_(std::move(part)), subject_(redact_url(want_.url)) {}

PartialDownload::~PartialDownload() {
  try {
    if (!complete_ && !discarded_ && !can_resume()) part_->discard();
  } catch (const Error&) {
    // Whoever downloads it next begins anew.
  }
}

const Path& PartialDownload::part() const {
  return part_->path();
}

void PartialDownload::move_to(const Path& destination) {
  part_->move_to(destination);
}

// Only bytes that a later run can check and continue are worth their place on the disk.
bool PartialDownload::can_resume() const {
  return part_->size() > 0 && (want_.digest || !validator_.empty());
}

void PartialDownload::resume() {
  if (!want_.digest) validator_ = part_->validator(want_.url);
  if (!want_.digest && validator_.empty()) {
    part_->clear();
    return;
  }
  part_->keep_existing();
  stitched_ = part_->size() > 0;
  if (want_.size_bytes && part_->size() > *want_.size_bytes) start_over();
  if (want_.size_bytes && part_->size() == *want_.size_bytes && want_.digest && stitched_) check();
  done_bytes_ = part_->size();
}

HttpRequest PartialDownload::request() {
  DAE_CHECK(!complete_);
  body_begun_ = wrong_part_ = false;
  offset_ = part_->size();
  ++rounds_;
  HttpRequest request;
  request.url = want_.url;
  request.headers = want_.headers;
  // The digest is that of the file, not of a coding of it.
  request.headers.set("Accept-Encoding", "identity");
  if (offset_ > 0) {
    request.headers.set("Range", fmt::format("bytes={}-", offset_));
    if (!validator_.empty()) request.headers.set("If-Range", validator_);
  }
  request.bearer_token = want_.bearer_token;
  request.reach = want_.reach;
  request.body_limit_bytes = UINT64_MAX;  // counted in take(), over all rounds
  const auto self = shared_from_this();
  request.on_headers = [self](int status, const Headers& headers) { self->begin_body(status, headers); };
  request.on_body = [self](std::string_view bytes) { self->take(bytes); };
  return request;
}

void PartialDownload::begin_body(int status, const Headers& headers) {
  wrong_part_ = false;
  if (status == 206) {
    wrong_part_ = offset_ == 0 || content_range_start(headers.get("Content-Range")) != static_cast<int64_t>(offset_);
    stitched_ = true;
  } else if (status == 200) {
    if (part_->size() > 0) forget();
    stitched_ = false;
    validator_ = validator_of(headers);
    if (!want_.digest) part_->set_validator(want_.url, validator_);
  } else {
    return;
  }
  body_begun_ = true;
  const auto length = parse_int(headers.get("Content-Length"));
  total_ = want_.size_bytes.value_or(length ? part_->size() + static_cast<uint64_t>(std::max<int64_t>(0, *length)) : 0);
}

void PartialDownload::take(std::string_view bytes) {
  if (want_.stop && *want_.stop) throw Error(ErrorKind::interrupted, "the download was given up", subject_);
  if (wrong_part_) return;
  if (want_.size_bytes && part_->size() + bytes.size() > *want_.size_bytes) {
    throw Error(ErrorKind::verification, "the download is longer than expected", subject_)
        .because(fmt::format("expected {} bytes", *want_.size_bytes));
  }
  if (part_->size() + bytes.size() > want_.limit_bytes) {
    throw Error(ErrorKind::bad_input, "the download is too large", subject_)
        .because("more than " + format_bytes(want_.limit_bytes));
  }
  part_->append(bytes);
  done_bytes_ = part_->size();
  if (want_.on_progress) want_.on_progress(part_->size(), total_);
}

std::optional<int64_t> PartialDownload::take_answer(std::future<HttpResponse> answer) {
  try {
    return take_response(answer.get());
  } catch (const Error& error) {
    return go_on_after(error);
  }
}

std::optional<int64_t> PartialDownload::take_response(const HttpResponse& response) {
  if (response.ok() && !body_begun_ && !wrong_part_) {  // a transport that hands over whole bodies only
    begin_body(response.status, response.headers);
    take(response.body);
  }
  if (response.ok() && !wrong_part_) return check();
  if (offset_ == 0 || (response.status != 416 && !wrong_part_)) throw answered(response.status, subject_);
  // 416: our part is not a beginning of what is there now, or it is all of it.
  const bool all = want_.digest && !wrong_part_ && part_->finish_hash() == *want_.digest &&
                   part_->size() == want_.size_bytes.value_or(part_->size());
  if (!all) return start_over();
  digest_ = *want_.digest;
  complete_ = true;
  return std::nullopt;
}

std::optional<int64_t> PartialDownload::check() {
  const Digest digest = part_->finish_hash();
  const bool right =
      (!want_.size_bytes || *want_.size_bytes == part_->size()) && (!want_.digest || *want_.digest == digest);
  if (!right && stitched_ && !started_over_) return start_over();  // the first bytes may be the wrong ones
  verify(digest);
  digest_ = digest;
  complete_ = true;
  return std::nullopt;
}

void PartialDownload::forget() {
  if (want_.on_restart) want_.on_restart();
  part_->clear();
}

std::optional<int64_t> PartialDownload::start_over() {
  if (rounds_ >= kMaxRounds) throw Error(ErrorKind::network, "cannot resume the download", subject_);
  started_over_ = true;
  stitched_ = false;
  validator_.clear();
  forget();
  done_bytes_ = 0;
  return 0;
}

std::optional<int64_t> PartialDownload::go_on_after(const Error& error) {
  if (error.kind() == ErrorKind::verification && stitched_ && !started_over_) return start_over();
  const bool broken = error.kind() == ErrorKind::network && body_begun_ && !wrong_part_;
  if (broken && can_resume() && rounds_ < kMaxRounds) {
    const bool poor = part_->size() < offset_ + kPoorRoundBytes;
    poor_rounds_ = poor ? poor_rounds_ + 1 : 0;
    // The first time at once: servers and proxies end connections for reasons of their own.
    if (poor_rounds_ < kMaxPoorRounds) return poor_rounds_ <= 1 ? 0 : backoff_ms(poor_rounds_ - 2, kPauseMs, 0);
  }
  const bool hopeless =
      error.kind() == ErrorKind::verification || error.kind() == ErrorKind::bad_input || error.kind() == ErrorKind::io;
  // Not left to the destructor: the transport lets go of its callbacks, and with them of this, a little later.
  discarded_ = hopeless || !can_resume();
  if (discarded_) part_->discard();
  throw Error(error);
}

void PartialDownload::verify(const Digest& digest) const {
  if (want_.size_bytes && *want_.size_bytes != part_->size()) {
    throw Error(ErrorKind::verification, "the download does not have the expected size", subject_)
        .because(fmt::format("expected {} bytes, got {}", *want_.size_bytes, part_->size()));
  }
  if (want_.digest && *want_.digest != digest) {
    throw Error(ErrorKind::verification, "the download does not have the expected digest", subject_)
        .because(fmt::format("expected {}, got {}", want_.digest->oci(), digest.oci()))
        .with_hint("the file changed at its source, or something on the way altered it; do not trust it");
  }
}

}  // namespace dae
