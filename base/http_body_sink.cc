#include "base/http_body_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/log.h"

namespace dae {

namespace {

constexpr uint64_t kWriteBackBytes = 8 << 20;

}  // namespace

BodySink::BodySink(const Route& route, const Path& spool_dir, ServerRequest* request, WorkerPool& pool)
    : limit_bytes_(route.body_limit_bytes), request_(request), pool_(pool) {
  if (!route.spool_body) return;
  Path path = spool_dir / ("dae-upload-" + random_hex());
  auto file = std::make_shared<File>();
  file->fd.reset(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file->fd.valid()) throw os_error("cannot make a file for an upload", path, errno);
  file_ = std::move(file);
  request_->body_file = path;
  request_->body_sha256 = [this] { return hash_.finish(); };
}

BodySink::~BodySink() {
  if (file_) unlink(request_->body_file.c_str());  // absent when the handler moved it to where it belongs
}

int BodySink::take(std::string_view piece) {
  request_->body_size_bytes += piece.size();
  if (request_->body_size_bytes > limit_bytes_) return 413;
  if (!file_) {
    request_->body.append(piece);
    return 0;
  }
  hash_.update(piece);
  if (!store(piece)) return 507;
  write_back();
  return 0;
}

bool BodySink::store(std::string_view piece) {
  while (!piece.empty()) {
    ssize_t put = write(file_->fd.get(), piece.data(), piece.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      log_error("cannot store an upload", {{"error", os_error("cannot write", request_->body_file, errno).what()}});
      return false;
    }
    piece.remove_prefix(static_cast<size_t>(put));
  }
  return true;
}

// A large upload is on its way to the disk while the rest of it comes: whoever flushes the whole file afterwards waits
// for little. The kernel may wait for the disk here, which the server's loop must not.
void BodySink::write_back() {
  const uint64_t from = handed_over_bytes_, bytes = request_->body_size_bytes - from;
  if (bytes < kWriteBackBytes || file_->is_written_back.exchange(true)) return;
  handed_over_bytes_ = request_->body_size_bytes;
  pool_.submit([file = file_, from, bytes] {
    sync_file_range(file->fd.get(), static_cast<off64_t>(from), static_cast<off64_t>(bytes), SYNC_FILE_RANGE_WRITE);
    file->is_written_back = false;
  });
}

}  // namespace dae
