#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/zip_parts.h"

namespace dae::zip_detail {

// Headers of small members are often near: one read then serves several.
constexpr size_t kReadAhead = 1024;

bool read_exactly(const Fd& fd, uint64_t offset, char* to, size_t bytes, const std::string& subject) {
  while (bytes > 0) {
    const ssize_t got = ::pread(fd.get(), to, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw os_error("cannot read the archive", subject, errno);
    if (got == 0) return false;
    to += got;
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

std::string_view Source::at(uint64_t offset, size_t bytes) {
  if (offset > size_bytes_ || bytes > size_bytes_ - offset) refuse("the archive ends early");
  if (offset < window_at_ || offset - window_at_ > window_.size() || bytes > window_.size() - (offset - window_at_)) {
    window_.resize(static_cast<size_t>(std::min<uint64_t>(std::max(bytes, kReadAhead), size_bytes_ - offset)));
    window_at_ = offset;
    if (!read_exactly(fd_, offset, window_.data(), window_.size(), subject_)) refuse("the archive ends early");
  }
  return std::string_view(window_).substr(static_cast<size_t>(offset - window_at_), bytes);
}

void Source::refuse(const std::string& message) const {
  throw Error(ErrorKind::bad_input, message, subject_);
}

}  // namespace dae::zip_detail
