#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"

namespace dae {

std::shared_ptr<MappedFile> MappedFile::open(const Path& path, uint64_t reserve_bytes) {
  bool writable = true;
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid() && (errno == EACCES || errno == EROFS)) {
    writable = false;
    fd = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  }
  if (!fd.valid()) throw os_error("cannot open the file", path.string(), errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) throw os_error("cannot read the size of the file", path.string(), errno);
  if (!S_ISREG(info.st_mode)) throw Error(ErrorKind::io, "is not a regular file", path.string());
  const uint64_t mapped = std::max<uint64_t>({reserve_bytes, static_cast<uint64_t>(info.st_size), 1});
  void* data = ::mmap(nullptr, mapped, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) throw os_error("cannot map the file", path.string(), errno);
  return std::shared_ptr<MappedFile>(
      new MappedFile(std::move(fd), static_cast<const char*>(data), mapped, writable, path));
}

MappedFile::MappedFile(Fd fd, const char* data, uint64_t mapped_bytes, bool writable, Path path)
    : fd_(std::move(fd)), data_(data), mapped_bytes_(mapped_bytes), writable_(writable), path_(std::move(path)) {}

MappedFile::~MappedFile() {
  ::munmap(const_cast<char*>(data_), mapped_bytes_);
}

uint64_t MappedFile::size_bytes() const {
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) throw os_error("cannot read the size of the file", path_.string(), errno);
  return static_cast<uint64_t>(info.st_size);
}

bool MappedFile::refreshed_within(uint64_t offset, uint64_t size) const {
  known_bytes_.store(std::min(size_bytes(), mapped_bytes_), std::memory_order_release);
  return within(offset, size);
}

void MappedFile::write(uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) throw os_error("cannot write the file", path_.string(), wrote == 0 ? ENOSPC : errno);
    offset += static_cast<uint64_t>(wrote);
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
}

void MappedFile::extend(uint64_t size_bytes) {
  if (this->size_bytes() >= size_bytes) return;
  if (::ftruncate(fd_.get(), static_cast<off_t>(size_bytes)) != 0) {
    throw os_error("cannot extend the file", path_.string(), errno);
  }
}

bool MappedFile::is_at(const Path& path) const {
  struct stat mine {
  }, there{};
  if (::fstat(fd_.get(), &mine) != 0 || ::stat(path.c_str(), &there) != 0) return false;
  return mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

bool MappedFile::lock(bool wait) {
  while (::flock(fd_.get(), wait ? LOCK_EX : LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) throw os_error("cannot lock the file", path_.string(), errno);
  }
  return true;
}

void MappedFile::unlock() {
  ::flock(fd_.get(), LOCK_UN);
}

}  // namespace dae
