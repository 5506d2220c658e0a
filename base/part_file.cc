#include "base/part_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/strings.h"

namespace dae {
namespace {

constexpr size_t kReadBytes = 1 << 20;

struct stat stat_of(const Fd& fd, const Path& path) {
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) throw os_error("cannot read", path, errno);
  return info;
}

}  // namespace

std::unique_ptr<PartFile> PartFile::try_open(const Path& path) {
  // The file may be renamed by its owner between our open and our lock: then the lock is on a finished file.
  for (int attempt = 0; attempt < 16; ++attempt) {
    Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd.valid()) throw os_error("cannot open for writing", path, errno);
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return nullptr;
    const auto named = file_info(path);
    if (named && named->inode == stat_of(fd, path).st_ino) {
      return std::unique_ptr<PartFile>(new PartFile(path, std::move(fd)));
    }
  }
  return nullptr;
}

void PartFile::keep_existing() {
  const auto there = static_cast<uint64_t>(stat_of(fd_, path_).st_size);
  if (there == 0) return;
  std::string buffer(std::min<uint64_t>(kReadBytes, there), '\0');
  while (size_ < there) {
    const ssize_t got = pread(fd_.get(), buffer.data(), buffer.size(), static_cast<off_t>(size_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw os_error("cannot read", path_, errno);
    if (got == 0) break;
    hash_.update({buffer.data(), static_cast<size_t>(got)});
    size_ += static_cast<uint64_t>(got);
  }
}

void PartFile::clear() {
  if (ftruncate(fd_.get(), 0) != 0) throw os_error("cannot truncate", path_, errno);
  size_ = 0;
  hash_ = Sha256();
}

void PartFile::append(std::string_view bytes) {
  hash_.update(bytes);
  while (!bytes.empty()) {
    const ssize_t put = pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw os_error("cannot write", path_, errno);
    size_ += static_cast<uint64_t>(put);
    bytes.remove_prefix(static_cast<size_t>(put));
  }
}

Path PartFile::validator_path() const {
  Path path = path_;
  path += ".etag";
  return path;
}

std::string PartFile::validator(const std::string& url) const {
  const auto text = read_file_if_exists(validator_path(), 64 << 10);
  if (!text) return "";
  const std::vector<std::string> lines = split_lines(*text);
  return lines.size() >= 2 && lines[0] == Digest::of(url).hex() ? lines[1] : "";
}

void PartFile::set_validator(const std::string& url, const std::string& validator) {
  if (validator.empty()) {
    remove_file(validator_path());
    return;
  }
  write_file_atomic(validator_path(), Digest::of(url).hex() + "\n" + validator + "\n", 0644, Durability::none);
}

void PartFile::move_to(const Path& destination) {
  if (fsync(fd_.get()) != 0) throw os_error("cannot write", path_, errno);
  rename_path(path_, destination);
  remove_file(validator_path());
  fsync_dir(destination.has_parent_path() ? destination.parent_path() : Path("."));
}

void PartFile::discard() {
  remove_file(path_);
  remove_file(validator_path());
}

}  // namespace dae
