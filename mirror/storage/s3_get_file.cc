#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "mirror/storage/s3_transfers.h"

namespace dae::mirror {
namespace {

constexpr const char* kCannot = "cannot fetch the object";
// As of downloads: a server that cuts every connection ends it after so many, or after so few that brought next to
// nothing.
constexpr int kMaxRounds = 64, kMaxPoorRounds = 5;
constexpr uint64_t kPoorRoundBytes = 64 << 10;
constexpr int64_t kPauseMs = 250;

uint64_t size_of(const Path& file) {
  const auto info = file_info(file);
  return info ? info->size_bytes : 0;
}

// "bytes 100-199/200": the first byte and the size of all; nullopt when it is not that.
std::optional<std::pair<uint64_t, uint64_t>> parse_content_range(std::string_view field) {
  if (!field.starts_with("bytes ")) return std::nullopt;
  field.remove_prefix(6);
  const size_t dash = field.find('-'), slash = field.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) return std::nullopt;
  const auto first = parse_int(field.substr(0, dash)), all = parse_int(field.substr(slash + 1));
  if (!first || !all || *first < 0 || *all < 0) return std::nullopt;
  return std::pair{static_cast<uint64_t>(*first), static_cast<uint64_t>(*all)};
}

// One fetch. Its rounds belong to one version of the object: each after the first demands the first's etag.
class FileFetch {
 public:
  FileFetch(const S3Client& client, const std::string& key, const ObjectStore::Fetch& fetch)
      : client_(client), key_(key), fetch_(fetch) {}

  std::optional<ObjectInfo> run() {
    for (int round = 0; round < kMaxRounds; ++round) {
      offset_ = done_ = size_of(fetch_.into);
      total_.reset();
      try {
        const HttpResponse response = client_.send(request());
        if (response.ok()) {
          if (!total_) begin(response.status, response.headers);  // an answer without a body
          if (done_ == *total_) return finish(response);
          throw client_.unusable(kCannot, key_, "the answer ended too early");
        }
        if (response.status == 412 && !etag_.empty()) {
          begin_anew();
        } else if (response.status == 416) {
          return beyond_the_end();
        } else if (S3Client::is_missing_object(response)) {
          return std::nullopt;
        } else {
          throw client_.error(kCannot, key_, response);
        }
      } catch (const Error& error) {
        pause_or_give_up(error);
      }
    }
    throw client_.unusable(kCannot, key_, "the connection broke again and again");
  }

 private:
  HttpRequest request() {
    HttpRequest request = client_.object_request("GET", key_);
    if (offset_ > 0) request.headers.set("Range", fmt::format("bytes={}-", offset_));
    if (!etag_.empty()) request.headers.set("If-Match", etag_);
    request.body_limit_bytes = UINT64_MAX;  // begin() and take() have the limit
    request.on_headers = [this](int status, const Headers& headers) {
      if (status == 200 || status == 206) begin(status, headers);
    };
    request.on_body = [this](std::string_view bytes) { take(bytes); };
    return request;
  }

  void begin(int status, const Headers& headers) {
    etag_ = headers.get("ETag");
    if (etag_.empty()) throw client_.unusable(kCannot, key_, "the answer has no etag");
    if (status == 206) {
      const auto range = parse_content_range(headers.get("Content-Range"));
      if (!range || range->first != offset_) throw client_.unusable(kCannot, key_, "the answer is another range");
      total_ = range->second;
    } else {
      // The server knows no ranges.
      if (offset_ > 0) truncate_file(fetch_.into);
      done_ = 0;
      const auto length = parse_int(headers.get("Content-Length"));
      if (!length || *length < 0) throw client_.unusable(kCannot, key_, "the answer does not say its length");
      total_ = static_cast<uint64_t>(*length);
    }
    if (*total_ > fetch_.limit_bytes) {
      throw Error(ErrorKind::bad_input, "the object is too large", client_.subject(key_))
          .because(fmt::format("{} are more than {}", format_bytes(*total_), format_bytes(fetch_.limit_bytes)));
    }
    append_file(fetch_.into, "");  // it is there, whatever its size
  }

  void take(std::string_view bytes) {
    if (fetch_.stop && *fetch_.stop) {
      throw Error(ErrorKind::interrupted, "the download was given up", client_.subject(key_));
    }
    if (bytes.size() > *total_ - done_) throw client_.unusable(kCannot, key_, "the answer is longer than it said");
    append_file(fetch_.into, bytes);
    done_ += bytes.size();
    if (fetch_.on_progress) fetch_.on_progress(done_, *total_);
  }

  ObjectInfo finish(const HttpResponse& response) const {
    ObjectInfo info = s3_info(client_, key_, response);
    info.size_bytes = done_;
    return info;
  }

  // No byte follows those of the file: it is all there, or of another object.
  std::optional<ObjectInfo> beyond_the_end() {
    auto info = s3_head(client_, key_);
    if (!info || info->size_bytes == offset_) return info;
    throw Error(ErrorKind::verification, "the unfinished file is longer than the object", client_.subject(key_))
        .because(fmt::format("{} bytes, and the object has {}", offset_, info->size_bytes));
  }

  void begin_anew() {
    truncate_file(fetch_.into);
    etag_.clear();
  }

  void pause_or_give_up(const Error& error) {
    if (error.kind() != ErrorKind::network || (fetch_.stop && *fetch_.stop)) throw Error(error);
    poor_rounds_ = size_of(fetch_.into) < offset_ + kPoorRoundBytes ? poor_rounds_ + 1 : 0;
    if (poor_rounds_ >= kMaxPoorRounds) throw Error(error);
    // The first time at once: servers and proxies end connections for reasons of their own.
    if (poor_rounds_ > 1) client_.clock().sleep_ms(kPauseMs << (poor_rounds_ - 2));
  }

  const S3Client& client_;
  const std::string& key_;
  const ObjectStore::Fetch& fetch_;
  std::string etag_;
  uint64_t offset_ = 0, done_ = 0;  // of the round: where it began, and how far the file is
  std::optional<uint64_t> total_;
  int poor_rounds_ = 0;
};

}  // namespace

std::optional<ObjectInfo> s3_get_file(const S3Client& client, const std::string& key, const ObjectStore::Fetch& fetch) {
  return FileFetch(client, key, fetch).run();
}

}  // namespace dae::mirror
