#include "base/http_body_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/log.h"

namespace dae {

BodySink::BodySink(const Route& route, const Path& spool_dir, ServerRequest* request)
    : limit_bytes_(route.body_limit_bytes), request_(request) {
  if (!route.spool_body) return;
  Path path = spool_dir / ("dae-upload-" + random_hex());
  fd_.reset(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd_.valid()) throw os_error("cannot make a file for an upload", path, errno);
  request_->body_file = path;
  request_->body_sha256 = [this] { return hash_.finish(); };
}

BodySink::~BodySink() {
  if (fd_.valid()) unlink(request_->body_file.c_str());  // absent when the handler moved it to where it belongs
}

int BodySink::take(std::string_view piece) {
  request_->body_size_bytes += piece.size();
  if (request_->body_size_bytes > limit_bytes_) return 413;
  if (!fd_.valid()) {
    request_->body.append(piece);
    return 0;
  }
  hash_.update(piece);
  while (!piece.empty()) {
    ssize_t put = write(fd_.get(), piece.data(), piece.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      log_error("cannot store an upload", {{"error", os_error("cannot write", request_->body_file, errno).what()}});
      return 507;
    }
    piece.remove_prefix(static_cast<size_t>(put));
  }
  return 0;
}

}  // namespace dae
