#include "base/fs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/error.h"
#include "base/hash.h"

namespace dae {
namespace {

[[noreturn]] void fail(std::string_view action, const Path& path) {
  const int code = errno;
  throw os_error("cannot " + std::string(action) + " `" + path.string() + "`", path.string(), code);
}

Fd open_or_fail(const Path& path, int flags, mode_t mode = 0) {
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd.valid()) fail("open", path);
  return fd;
}

void write_all(int fd, std::string_view bytes, const Path& path) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail("write", path);
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
}

Path dir_of(const Path& path) {
  return path.has_parent_path() ? path.parent_path() : Path(".");
}

// Short, whatever the length of the final name; hidden, so that sorted listings and globs pass it by.
Path temporary_beside(const Path& path) {
  return dir_of(path) / (".dae-" + random_hex(8) + ".tmp");
}

// Removes a temporary file unless it has found its final name.
struct TemporaryFile {
  Path path;
  bool keep = false;
  ~TemporaryFile() {
    if (!keep) ::unlink(path.c_str());
  }
};

void copy_bytes(int from, int to, const Path& source, const Path& destination) {
  // copy_file_range shares the blocks where the file system can, and stays in the kernel elsewhere.
  bool in_kernel = true;
  std::vector<char> buffer;
  for (;;) {
    if (in_kernel) {
      const ssize_t copied = ::copy_file_range(from, nullptr, to, nullptr, 1u << 30, 0);
      if (copied == 0) return;
      if (copied > 0 || errno == EINTR) continue;
      if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) fail("write", destination);
      in_kernel = false;
      buffer.resize(256 * 1024);
    }
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", source);
    if (got == 0) return;
    write_all(to, {buffer.data(), static_cast<size_t>(got)}, destination);
  }
}

void copy_to_new_file(const Path& from, const Path& to, mode_t mode) {
  const Fd source = open_or_fail(from, O_RDONLY);
  const Fd destination = open_or_fail(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
  TemporaryFile unfinished{to};
  copy_bytes(source.get(), destination.get(), from, to);
  if (::fchmod(destination.get(), mode) != 0) fail("change the mode of", to);
  unfinished.keep = true;
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) reset(other.release());
  return *this;
}

int Fd::release() {
  return std::exchange(fd_, -1);
}

void Fd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

bool FileInfo::is_dir() const {
  return S_ISDIR(mode);
}
bool FileInfo::is_file() const {
  return S_ISREG(mode);
}
bool FileInfo::is_symlink() const {
  return S_ISLNK(mode);
}

std::optional<FileInfo> file_info(const Path& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    fail("look at", path);
  }
  FileInfo info;
  info.size_bytes = static_cast<uint64_t>(st.st_size);
  info.mtime_ns = static_cast<int64_t>(st.st_mtim.tv_sec) * 1'000'000'000 + st.st_mtim.tv_nsec;
  info.inode = st.st_ino;
  info.mode = st.st_mode;
  return info;
}

bool Exists::operator()(const Path& path) const {
  struct stat st {};
  if (::stat(path.c_str(), &st) == 0) return true;
  if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP) fail("look at", path);
  return false;
}

std::string read_file(const Path& path, uint64_t limit_bytes) {
  const Fd fd = open_or_fail(path, O_RDONLY);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) fail("look at", path);
  std::string out;
  // The size is only a hint: /proc files say 0, and a growing file may exceed it.
  size_t room = std::min<size_t>(st.st_size > 0 ? static_cast<size_t>(st.st_size) + 1 : 4096, limit_bytes + 1);
  for (size_t used = 0;;) {
    out.resize(std::max(used + room, used + 1));
    const ssize_t got = ::read(fd.get(), out.data() + used, out.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path);
    used += static_cast<size_t>(got);
    if (used > limit_bytes) {
      throw Error(ErrorKind::bad_input, "file is larger than " + std::to_string(limit_bytes) + " bytes", path.string());
    }
    if (got == 0) {
      out.resize(used);
      return out;
    }
    room = std::min<size_t>(std::max<size_t>(out.size() - used, used < 4096 ? 4096 : used / 2), limit_bytes + 1 - used);
  }
}

std::optional<std::string> read_file_if_exists(const Path& path, uint64_t limit_bytes) {
  try {
    return read_file(path, limit_bytes);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) return std::nullopt;
    throw;
  }
}

std::string read_file_tail(const Path& path, uint64_t limit_bytes, uint64_t offset) {
  const auto info = file_info(path);
  if (!info) return "";
  uint64_t start = info->size_bytes > limit_bytes ? info->size_bytes - limit_bytes : 0;
  // A file that has become shorter than the offset was rotated: all of it is news.
  if (offset <= info->size_bytes) start = std::max(start, offset);
  const Fd fd = open_or_fail(path, O_RDONLY);
  std::string out(info->size_bytes - start, '\0');
  for (size_t used = 0; used < out.size();) {
    const ssize_t got = ::pread(fd.get(), out.data() + used, out.size() - used, static_cast<off_t>(start + used));
    if (got < 0 && errno != EINTR) fail("read", path);
    if (got == 0) out.resize(used);
    if (got > 0) used += static_cast<size_t>(got);
  }
  return out;
}

std::string read_file_head(const Path& path, size_t bytes) {
  const Fd fd = open_or_fail(path, O_RDONLY);
  std::string out(bytes, '\0');
  size_t used = 0;
  while (used < bytes) {
    const ssize_t got = ::read(fd.get(), out.data() + used, bytes - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path);
    if (got == 0) break;
    used += static_cast<size_t>(got);
  }
  out.resize(used);
  return out;
}

void write_file_atomic(const Path& path, std::string_view bytes, mode_t mode, Durability durability) {
  TemporaryFile temporary{temporary_beside(path)};
  {
    const Fd fd(::open(temporary.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd.valid()) fail("write", path);
    write_all(fd.get(), bytes, path);
    if (::fchmod(fd.get(), mode) != 0) fail("change the mode of", path);
    if (durability != Durability::none && ::fsync(fd.get()) != 0) fail("flush", path);
  }
  if (::rename(temporary.path.c_str(), path.c_str()) != 0) fail("replace", path);
  temporary.keep = true;
  if (durability == Durability::fsync) fsync_dir(dir_of(path));
}

void append_file(const Path& path, std::string_view bytes) {
  const Fd fd = open_or_fail(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
  write_all(fd.get(), bytes, path);
}

void make_dirs(const Path& path, mode_t mode) {
  if (path.empty() || ::mkdir(path.c_str(), mode) == 0) return;
  if (errno == ENOENT && path.has_parent_path() && path.parent_path() != path) {
    make_dirs(path.parent_path(), mode);
    if (::mkdir(path.c_str(), mode) == 0) return;
  }
  const int code = errno;
  struct stat st {};
  if (code == EEXIST && ::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) return;
  errno = code;
  fail("create directory", path);
}

bool remove_file(const Path& path) {
  if (::unlink(path.c_str()) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  fail("remove", path);
}

void rename_path(const Path& from, const Path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    const int code = errno;
    throw os_error("cannot rename `" + from.string() + "` to `" + to.string() + "`", from.string(), code);
  }
}

void fsync_dir(const Path& dir) {
  const Fd fd = open_or_fail(dir, O_RDONLY | O_DIRECTORY);
  if (::fsync(fd.get()) != 0) fail("flush", dir);
}

void truncate_file(const Path& path) {
  if (::truncate(path.c_str(), 0) != 0) fail("truncate", path);
}

void sync_file_system(const Path& path) {
  const Fd fd = open_or_fail(path, O_RDONLY);
  if (::syncfs(fd.get()) != 0) fail("flush", path);
}

void set_mtime_s(const Path& path, int64_t seconds) {
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, {.tv_sec = seconds, .tv_nsec = 0}};
  if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) fail("change the time of", path);
}

void set_mode(const Path& path, mode_t mode) {
  if (::chmod(path.c_str(), mode) != 0) fail("change the mode of", path);
}

void symlink_atomic(const std::string& target, const Path& link) {
  TemporaryFile temporary{temporary_beside(link)};
  if (::symlink(target.c_str(), temporary.path.c_str()) != 0) fail("create link", link);
  if (::rename(temporary.path.c_str(), link.c_str()) != 0) fail("replace link", link);
  temporary.keep = true;
}

std::optional<std::string> read_link(const Path& link) {
  std::string target(4096, '\0');
  const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
  if (size < 0) {
    if (errno == ENOENT || errno == EINVAL || errno == ENOTDIR) return std::nullopt;
    fail("read link", link);
  }
  target.resize(static_cast<size_t>(size));
  return target;
}

void link_or_copy(const Path& from, const Path& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return;
  const bool try_copy = errno == EXDEV || errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP || errno == EACCES;
  if (!try_copy) fail("create", to);
  struct stat st {};
  if (::stat(from.c_str(), &st) != 0) fail("look at", from);
  copy_to_new_file(from, to, st.st_mode & 07777);
}

void CopyFile::operator()(const Path& from, const Path& to, mode_t mode) const {
  TemporaryFile temporary{temporary_beside(to)};
  copy_to_new_file(from, temporary.path, mode);
  rename_path(temporary.path, to);
  temporary.keep = true;
}

}  // namespace dae
