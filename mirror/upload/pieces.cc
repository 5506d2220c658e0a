#include "mirror/upload/pieces.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "base/error.h"

namespace dae::mirror {
namespace {

constexpr size_t kPieceBytes = 256u << 10;

}  // namespace

PieceReader::PieceReader(const Path& file, uint64_t offset, uint64_t bytes)
    : file_(file), fd_(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)), offset_(offset), left_(bytes) {
  if (!fd_.valid()) throw os_error("cannot open the file", file.string(), errno);
  buffer_.resize(kPieceBytes);
}

std::string_view PieceReader::next() {
  while (left_ > 0) {
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(buffer_.size(), left_));
    const ssize_t got = ::pread(fd_.get(), buffer_.data(), wanted, static_cast<off_t>(offset_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw os_error("cannot read the file", file_.string(), errno);
    if (got == 0) break;
    offset_ += static_cast<uint64_t>(got);
    left_ -= static_cast<uint64_t>(got);
    return {buffer_.data(), static_cast<size_t>(got)};
  }
  return {};
}

void for_each_piece(const Path& file, const std::function<void(std::string_view)>& visit) {
  PieceReader reader(file, 0, std::numeric_limits<uint64_t>::max());
  for (std::string_view piece = reader.next(); !piece.empty(); piece = reader.next()) visit(piece);
}

PieceWriter::PieceWriter(const Path& file)
    : file_(file), fd_(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)) {
  if (!fd_.valid()) throw os_error("cannot make a file for an upload", file.string(), errno);
}

void PieceWriter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd_.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw os_error("cannot store an upload", file_.string(), errno);
    bytes.remove_prefix(static_cast<size_t>(put));
  }
}

}  // namespace dae::mirror
