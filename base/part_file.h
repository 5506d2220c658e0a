#pragma once
// The file in which a download collects. It is locked while somebody writes it, and hashed on the way. Internal to
// base.
#include <memory>
#include <string>
#include <string_view>

#include "base/fs.h"
#include "base/hash.h"

namespace dae {

class PartFile {
 public:
  // Null when somebody else is writing it.
  static std::unique_ptr<PartFile> try_open(const Path& path);

  const Path& path() const { return path_; }
  uint64_t size() const { return size_; }
  // Keeps the bytes that are there: their hash is brought up to date.
  void keep_existing();
  void clear();
  void append(std::string_view bytes);
  Digest finish_hash() { return hash_.finish(); }  // once; clear() begins a new one

  // What If-Range needs to ask for the rest of the same bytes; empty when unknown. It belongs to one URL, and stands in
  // a file beside the part.
  std::string validator(const std::string& url) const;
  void set_validator(const std::string& url, const std::string& validator);

  void move_to(const Path& destination);
  void discard();

 private:
  PartFile(Path path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  Path validator_path() const;

  Path path_;
  Fd fd_;
  Sha256 hash_;
  uint64_t size_ = 0;
};

}  // namespace dae
