#pragma once
// A file that is read in place by any number of processes while one of them, the holder of its lock, adds to it.
// Nobody may ever shorten such a file: who reads it would die of SIGBUS. It is replaced by renaming another over it.
// Thread-safe, but for who holds the lock: that is a matter of the process.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/fs.h"

namespace dae {

class MappedFile {
 public:
  // Opens it, or creates an empty one. `reserve_bytes` of address space are taken: how far it may grow and still be
  // seen through this object. Where it cannot be written it is opened for reading alone.
  static std::shared_ptr<MappedFile> open(const Path& path, uint64_t reserve_bytes);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  bool writable() const { return writable_; }
  uint64_t size_bytes() const;  // as of now, whoever wrote
  // Those bytes, or nothing where the file does not reach that far. Valid as long as this object lives.
  std::string_view view(uint64_t offset, uint64_t size) const {
    if (!within(offset, size) && !refreshed_within(offset, size)) return {};
    return {data_ + offset, static_cast<size_t>(size)};
  }
  void write(uint64_t offset, std::string_view bytes);  // extends the file where needed
  void extend(uint64_t size_bytes);                     // with zeros
  bool is_at(const Path& path) const;                   // not replaced or removed since

  // Between processes; false: another one has it (only with `wait` off).
  bool lock(bool wait = true);
  void unlock();

 private:
  MappedFile(Fd fd, const char* data, uint64_t mapped_bytes, bool writable, Path path);
  bool within(uint64_t offset, uint64_t size) const {
    const uint64_t known = known_bytes_.load(std::memory_order_acquire);
    return offset <= known && size <= known - offset;
  }
  bool refreshed_within(uint64_t offset, uint64_t size) const;

  Fd fd_;
  const char* data_;
  uint64_t mapped_bytes_;
  bool writable_;
  Path path_;
  mutable std::atomic<uint64_t> known_bytes_{0};
};

}  // namespace dae
