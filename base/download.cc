#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/error.h"
#include "base/http_client.h"
#include "base/log.h"
#include "base/strings.h"

namespace dae {

namespace {

// Each round must have brought bytes, so this bounds a server that cuts every connection, not a slow one.
constexpr int kMaxRounds = 8;
constexpr size_t kReadBytes = 1 << 20;

Path with_suffix(Path path, std::string_view suffix) {
  path += suffix;
  return path;
}

// The unfinished file. Holds a lock on it, so that two processes never write one part; the second takes a name of its
// own and resumes nothing.
class PartFile {
 public:
  explicit PartFile(const Path& destination) : path_(with_suffix(destination, ".part")) {
    if (destination.has_parent_path()) make_dirs(destination.parent_path());
    if (!open_and_lock()) {
      path_ = with_suffix(destination, ".part-" + random_hex(8));
      if (!open_and_lock()) throw Error(ErrorKind::io, "cannot lock the unfinished file", path_);
    }
  }

  const Path& path() const { return path_; }
  uint64_t size() const { return size_; }

  // What If-Range needs to ask for the rest of the same bytes; empty when unknown. It belongs to one URL.
  std::string validator(const std::string& url) const {
    auto text = read_file_if_exists(validator_path(), 64 << 10);
    if (!text) return "";
    std::vector<std::string> lines = split_lines(*text);
    return lines.size() >= 2 && lines[0] == Digest::of(url).hex() ? lines[1] : "";
  }
  void set_validator(const std::string& url, const std::string& validator) {
    validator_known_ = !validator.empty();
    if (!validator_known_) {
      remove_file(validator_path());
      return;
    }
    write_file_atomic(validator_path(), Digest::of(url).hex() + "\n" + validator + "\n", 0644, Durability::none);
  }
  bool validator_known() const { return validator_known_; }

  // Keeps the first bytes, which must be there; their hash is brought up to date.
  void keep_existing() {
    struct stat info {};
    if (fstat(fd_.get(), &info) != 0) throw os_error("cannot read", path_, errno);
    validator_known_ = true;
    std::string buffer(kReadBytes, '\0');
    while (size_ < static_cast<uint64_t>(info.st_size)) {
      ssize_t got = pread(fd_.get(), buffer.data(), buffer.size(), static_cast<off_t>(size_));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw os_error("cannot read", path_, errno);
      if (got == 0) break;
      hash_.update({buffer.data(), static_cast<size_t>(got)});
      size_ += static_cast<uint64_t>(got);
    }
  }
  void clear() {
    if (ftruncate(fd_.get(), 0) != 0) throw os_error("cannot truncate", path_, errno);
    size_ = 0;
    hash_ = Sha256();
  }
  void append(std::string_view bytes) {
    hash_.update(bytes);
    while (!bytes.empty()) {
      ssize_t put = pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) throw os_error("cannot write", path_, errno);
      size_ += static_cast<uint64_t>(put);
      bytes.remove_prefix(static_cast<size_t>(put));
    }
  }
  Digest finish_hash() { return hash_.finish(); }  // once; clear() begins a new one
  void move_to(const Path& destination) {
    if (fsync(fd_.get()) != 0) throw os_error("cannot write", path_, errno);
    rename_path(path_, destination);
    remove_file(validator_path());
    fsync_dir(destination.has_parent_path() ? destination.parent_path() : Path("."));
  }
  void discard() {
    remove_file(path_);
    remove_file(validator_path());
  }

 private:
  Path validator_path() const { return with_suffix(path_, ".etag"); }

  bool open_and_lock() {
    // The file may be renamed by its owner between our open and our lock: then the lock is on a finished file.
    for (int attempt = 0; attempt < 16; ++attempt) {
      fd_.reset(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
      if (!fd_.valid()) throw os_error("cannot open for writing", path_, errno);
      if (flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) return false;
      struct stat ours {};
      if (fstat(fd_.get(), &ours) != 0) throw os_error("cannot read", path_, errno);
      auto named = file_info(path_);
      if (named && named->inode == ours.st_ino) return true;
    }
    return false;
  }

  Path path_;
  Fd fd_;
  Sha256 hash_;
  uint64_t size_ = 0;
  bool validator_known_ = false;
};

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

class Downloader {
 public:
  Downloader(Transport& transport, const Download& download)
      : transport_(transport), want_(download), part_(download.destination), subject_(redact_url(download.url)) {}

  Digest run() {
    try {
      Digest digest = fetch_verified();
      part_.move_to(want_.destination);
      return digest;
    } catch (const Error& error) {
      // Only bytes that a later run can check and continue are worth their place on the disk.
      bool hopeless = error.kind() == ErrorKind::verification || error.kind() == ErrorKind::bad_input ||
                      error.kind() == ErrorKind::io;
      bool resumable = !hopeless && part_.validator_known() && part_.size() > 0;
      if (!resumable) part_.discard();
      throw;
    } catch (...) {
      part_.discard();
      throw;
    }
  }

 private:
  Digest fetch_verified() {
    validator_ = part_.validator(want_.url);
    if (validator_.empty()) {
      part_.clear();
    } else {
      part_.keep_existing();
    }
    bool resumed = part_.size() > 0;
    fetch_all();
    Digest digest = part_.finish_hash();
    if (resumed && !matches(digest)) {  // the old bytes may be the wrong ones
      validator_.clear();
      part_.clear();
      fetch_all();
      digest = part_.finish_hash();
    }
    verify(digest);
    return digest;
  }

  bool matches(const Digest& digest) const {
    return (!want_.size_bytes || *want_.size_bytes == part_.size()) && (!want_.digest || *want_.digest == digest);
  }

  void verify(const Digest& digest) const {
    if (want_.size_bytes && *want_.size_bytes != part_.size()) {
      throw Error(ErrorKind::verification, "the download does not have the expected size", subject_)
          .because(fmt::format("expected {} bytes, got {}", *want_.size_bytes, part_.size()));
    }
    if (want_.digest && *want_.digest != digest) {
      throw Error(ErrorKind::verification, "the download does not have the expected digest", subject_)
          .because(fmt::format("expected {}, got {}", want_.digest->oci(), digest.oci()))
          .with_hint("the file changed at its source, or something on the way altered it; do not trust it");
    }
  }

  void fetch_all() {
    for (int round = 1;; ++round) {
      uint64_t before = part_.size();
      try {
        if (fetch_round()) return;
      } catch (const Error& error) {
        bool worth_another = part_.size() > before && !validator_.empty() && round < kMaxRounds;
        if (error.kind() != ErrorKind::network || !body_begun_ || !worth_another) throw;
      }
      if (round >= kMaxRounds) throw Error(ErrorKind::network, "cannot resume the download", subject_);
    }
  }

  // False: the server does not want to continue our part; it was cleared, ask for everything.
  bool fetch_round() {
    body_begun_ = wrong_part_ = false;
    offset_ = validator_.empty() ? 0 : part_.size();
    HttpRequest request;
    request.url = want_.url;
    request.headers = want_.headers;
    request.headers.set("Accept-Encoding", "identity");
    if (offset_ > 0) {
      request.headers.set("Range", fmt::format("bytes={}-", offset_));
      request.headers.set("If-Range", validator_);
    }
    request.bearer_token = want_.bearer_token;
    request.body_limit_bytes = UINT64_MAX;  // counted below, over all rounds
    request.on_headers = [this](int status, const Headers& headers) { begin(status, headers); };
    request.on_body = [this](std::string_view bytes) { take(bytes); };
    HttpResponse response = transport_.send(std::move(request));
    if (response.ok() && !body_begun_ && !wrong_part_) {  // a transport that hands over whole bodies only
      begin(response.status, response.headers);
      take(response.body);
    }
    if (response.ok() && !wrong_part_) return true;
    if (offset_ == 0 || (response.status != 416 && !wrong_part_)) throw answered(response.status, subject_);
    // 416: our part is not a beginning of what is there now.
    validator_.clear();
    part_.clear();
    return false;
  }

  void begin(int status, const Headers& headers) {
    wrong_part_ = false;
    if (status == 206) {
      wrong_part_ = offset_ == 0 || content_range_start(headers.get("Content-Range")) != static_cast<int64_t>(offset_);
    } else if (status == 200) {
      part_.clear();
      validator_ = validator_of(headers);
      part_.set_validator(want_.url, validator_);
    } else {
      return;
    }
    body_begun_ = true;
    auto length = parse_int(headers.get("Content-Length"));
    total_ =
        want_.size_bytes.value_or(length ? part_.size() + static_cast<uint64_t>(std::max<int64_t>(0, *length)) : 0);
  }

  void take(std::string_view bytes) {
    if (wrong_part_) return;
    if (want_.size_bytes && part_.size() + bytes.size() > *want_.size_bytes) {
      throw Error(ErrorKind::verification, "the download is longer than expected", subject_)
          .because(fmt::format("expected {} bytes", *want_.size_bytes));
    }
    if (part_.size() + bytes.size() > want_.limit_bytes) {
      throw Error(ErrorKind::bad_input, "the download is too large", subject_)
          .because("more than " + format_bytes(want_.limit_bytes));
    }
    part_.append(bytes);
    if (want_.on_progress) want_.on_progress(part_.size(), total_);
  }

  Transport& transport_;
  const Download& want_;
  PartFile part_;
  std::string subject_, validator_;
  uint64_t offset_ = 0, total_ = 0;
  bool body_begun_ = false, wrong_part_ = false;
};

}  // namespace

Digest download_file(Transport& transport, const Download& download) {
  return Downloader(transport, download).run();
}

}  // namespace dae
