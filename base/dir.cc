#include "base/dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>

#include "base/error.h"

namespace dae {
namespace {

[[noreturn]] void fail(const char* action, const Path& dir, const char* name) {
  const int code = errno;
  const Path path = dir / name;
  throw os_error(std::string("cannot ") + action, path.string(), code);
}

bool is_impossible(int code) {
  return code == EXDEV || code == EPERM || code == ENOSYS || code == EOPNOTSUPP || code == ENOTTY || code == EINVAL;
}

Dir::Linked answer_of(int code, const char* action, const Path& dir, const char* name) {
  if (code == EEXIST) return Dir::Linked::taken;
  if (code == EMLINK) return Dir::Linked::too_many;
  if (code == ENOENT || code == ENOTDIR) return Dir::Linked::no_such_dir;
  if (is_impossible(code)) return Dir::Linked::impossible;
  errno = code;
  fail(action, dir, name);
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return true;
}

// One read and one write for a file that fits: a twentieth faster for a tree of small files than copy_file_range(),
// which pays for long ones where the file system need not move the bytes.
constexpr uint64_t kBufferBytes = 128 << 10, kInKernelBytes = 1 << 20;

bool copy_all(int from, int to, uint64_t size_bytes) {
  for (bool in_kernel = size_bytes >= kInKernelBytes; size_bytes > 0;) {
    if (in_kernel) {
      const ssize_t moved = ::copy_file_range(from, nullptr, to, nullptr, size_bytes, 0);
      if (moved == 0) return true;  // it has become shorter
      if (moved > 0) size_bytes -= static_cast<uint64_t>(moved);
      if (moved > 0 || errno == EINTR) continue;
      if (!is_impossible(errno)) return false;
      in_kernel = false;
    }
    char buffer[kBufferBytes];
    const ssize_t got = ::read(from, buffer, std::min(size_bytes, kBufferBytes));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) return true;
    if (!write_all(to, {buffer, static_cast<size_t>(got)})) return false;
    size_bytes -= static_cast<uint64_t>(got);
  }
  return true;
}

FileInfo info_of(const struct stat& status) {
  FileInfo out;
  out.size_bytes = static_cast<uint64_t>(status.st_size);
  out.mtime_ns = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
  out.inode = status.st_ino;
  out.mode = status.st_mode;
  return out;
}

}  // namespace

Dir Dir::open(const Path& path, bool create) {
  if (create) make_dirs(path);
  Fd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) throw os_error("cannot open the directory", path.string(), errno);
  return {path, std::move(fd)};
}

bool Dir::make_dir(const char* name, mode_t mode) const {
  if (::mkdirat(fd_.get(), name, mode) == 0) return true;
  if (errno == EEXIST) return false;
  fail("make the directory", path_, name);
}

Dir::Linked Dir::hard_link(const char* name, const Dir& to, const char* new_name) const {
  if (::linkat(fd_.get(), name, to.fd_.get(), new_name, 0) == 0) return Linked::done;
  return answer_of(errno, "link", to.path_, new_name);
}

struct Dir::Source {
  Fd fd;
  uint64_t size_bytes = 0;
  bool program = false;
};

Dir::Source Dir::open_source(const char* name) const {
  Source out{Fd(::openat(fd_.get(), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW))};
  struct stat status {};
  if (!out.fd.valid() || ::fstat(out.fd.get(), &status) != 0) fail("read", path_, name);
  out.size_bytes = static_cast<uint64_t>(status.st_size);
  out.program = (status.st_mode & 0111) != 0;
  return out;
}

Dir::Linked Dir::reflink(const char* name, const Dir& to, const char* new_name, const Modes& modes) const {
  const Source source = open_source(name);
  const mode_t mode = source.program ? modes.program : modes.plain;
  const Fd target(::openat(to.fd_.get(), new_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!target.valid()) return answer_of(errno, "write", to.path_, new_name);
  if (::ioctl(target.get(), FICLONE, source.fd.get()) == 0) return Linked::done;
  const int code = errno;
  ::unlinkat(to.fd_.get(), new_name, 0);
  return answer_of(code, "write", to.path_, new_name);
}

Dir::Linked Dir::copy(const char* name, const Dir& to, const char* new_name, const Modes& modes) const {
  const Source source = open_source(name);
  const mode_t mode = source.program ? modes.program : modes.plain;
  const Fd target(::openat(to.fd_.get(), new_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!target.valid()) return answer_of(errno, "write", to.path_, new_name);
  if (!copy_all(source.fd.get(), target.get(), source.size_bytes)) fail("write", to.path_, new_name);
  return Linked::done;
}

Dir::Linked Dir::symlink(const std::string& target, const char* new_name) const {
  if (::symlinkat(target.c_str(), fd_.get(), new_name) == 0) return Linked::done;
  return answer_of(errno, "link", path_, new_name);
}

Dir::Linked Dir::write_new(const char* name, std::string_view bytes, mode_t mode) const {
  const Fd target(::openat(fd_.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!target.valid()) return answer_of(errno, "write", path_, name);
  if (!write_all(target.get(), bytes)) fail("write", path_, name);
  return Linked::done;
}

std::optional<Dir::Writer> Dir::create(const char* name, mode_t mode) const {
  Fd target(::openat(fd_.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (target.valid()) return Writer(path_ / name, std::move(target));
  if (errno == EEXIST) return std::nullopt;
  fail("write", path_, name);
}

void Dir::Writer::write(std::string_view bytes) {
  if (!write_all(fd_.get(), bytes)) throw os_error("cannot write", path_.string(), errno);
}

void Dir::set_mode(const char* name, mode_t mode) const {
  if (::fchmodat(fd_.get(), name, mode, 0) != 0) fail("change the mode", path_, name);
}

void Dir::touch(const char* name) const {
  if (::utimensat(fd_.get(), name, nullptr, AT_SYMLINK_NOFOLLOW) != 0) fail("change the time", path_, name);
}

bool Dir::exchange(const char* one, const char* other) const {
  if (::renameat2(fd_.get(), one, fd_.get(), other, RENAME_EXCHANGE) == 0) return true;
  if (is_impossible(errno)) return false;
  fail("exchange", path_, one);
}

void Dir::rename(const char* from, const char* to) const {
  if (::renameat(fd_.get(), from, fd_.get(), to) != 0) fail("rename", path_, from);
}

bool Dir::remove(const char* name) const {
  if (::unlinkat(fd_.get(), name, 0) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  fail("remove", path_, name);
}

bool Dir::remove_dir(const char* name) const {
  if (::unlinkat(fd_.get(), name, AT_REMOVEDIR) == 0) return true;
  if (errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) return false;
  fail("remove", path_, name);
}

std::optional<FileInfo> Dir::info(const char* name) const {
  struct stat status {};
  if (::fstatat(fd_.get(), name, &status, AT_SYMLINK_NOFOLLOW) == 0) return info_of(status);
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  fail("look at", path_, name);
}

std::optional<std::string> Dir::read_link(const char* name) const {
  char buffer[PATH_MAX];
  const ssize_t size = ::readlinkat(fd_.get(), name, buffer, sizeof buffer);
  if (size >= 0) return std::string(buffer, static_cast<size_t>(size));
  if (errno == EINVAL || errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  fail("look at", path_, name);
}

std::vector<std::string> Dir::list(const char* name) const {
  std::vector<std::string> out;
  const int fd = ::openat(fd_.get(), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return out;
    fail("list", path_, name);
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), ::closedir);
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view found = entry->d_name;
    if (found != "." && found != "..") out.emplace_back(found);
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace dae
