#pragma once
// A file in pieces: uploads are never held in memory.
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/fs.h"

namespace dae::mirror {

// Links are not followed.
void for_each_piece(const Path& file, const std::function<void(std::string_view)>& visit);

// Reads `bytes` bytes from `offset` on, in pieces of which each lives until the next.
class PieceReader {
 public:
  explicit PieceReader(const Path& file, uint64_t offset, uint64_t bytes);
  std::string_view next();  // empty at the end
 private:
  Path file_;
  Fd fd_;
  uint64_t offset_, left_;
  std::string buffer_;
};

// Made new; what is written is not flushed.
class PieceWriter {
 public:
  explicit PieceWriter(const Path& file);
  void write(std::string_view bytes);
  void close() { fd_.reset(); }

 private:
  Path file_;
  Fd fd_;
};

}  // namespace dae::mirror
