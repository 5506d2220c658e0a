// Whole trees, temporary directories, and locks.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/fs.h"
#include "base/process.h"
#include "base/strings.h"

namespace dae {
namespace {

[[noreturn]] void fail(std::string_view action, const Path& path) {
  const int code = errno;
  throw os_error("cannot " + std::string(action) + " `" + path.string() + "`", path.string(), code);
}

// Takes the descriptor; nullopt when it cannot be read as a directory (errno says why).
std::optional<std::vector<std::string>> names_in(int dir_fd) {
  DIR* dir = ::fdopendir(dir_fd);
  if (dir == nullptr) {
    ::close(dir_fd);
    return std::nullopt;
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

// Works relative to open directories, so that a directory swapped for a link meanwhile is never followed.
void remove_at(int parent, const std::string& name, const Path& shown) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM && errno != EACCES) fail("remove", shown);
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  const int unlink_error = errno;
  Fd dir(::openat(parent, name.c_str(), kFlags));
  if (!dir.valid() && errno == EACCES && ::fchmodat(parent, name.c_str(), 0700, 0) == 0) {
    dir.reset(::openat(parent, name.c_str(), kFlags));
  }
  if (!dir.valid()) {
    if (errno == ENOTDIR || errno == ELOOP) errno = unlink_error;
    fail("remove", shown);
  }
  ::fchmod(dir.get(), 0700);  // a read-only directory of ours keeps its entries otherwise
  const auto names = names_in(::fcntl(dir.get(), F_DUPFD_CLOEXEC, 0));
  if (!names) fail("read directory", shown);
  for (const std::string& child : *names) remove_at(dir.get(), child, shown / child);
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) fail("remove", shown);
}

void walk_into(const Path& dir, const std::string& prefix, const std::function<bool(const WalkEntry&)>& keep,
               std::vector<WalkEntry>& out) {
  for (const std::string& name : list_dir(dir)) {
    WalkEntry entry;
    entry.path = dir / name;
    entry.relative = prefix + name;
    const auto info = file_info(entry.path);
    if (!info) continue;  // gone meanwhile
    entry.info = *info;
    if (keep && !keep(entry)) continue;
    out.push_back(entry);
    if (info->is_dir()) walk_into(entry.path, entry.relative + "/", keep, out);
  }
}

Fd open_lock(const Path& path) {
  if (path.has_parent_path()) make_dirs(path.parent_path());
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) fail("open lock", path);
  return fd;
}

int lock_holder(int fd) {
  char text[32] = {};
  const ssize_t got = ::pread(fd, text, sizeof text - 1, 0);
  const auto pid = parse_int(trim({text, static_cast<size_t>(std::max<ssize_t>(got, 0))}));
  return pid ? static_cast<int>(*pid) : 0;
}

void write_holder(int fd) {
  const std::string text = std::to_string(::getpid()) + "\n";
  // For messages only: a failure here does not weaken the lock.
  if (::ftruncate(fd, 0) == 0) std::ignore = ::pwrite(fd, text.data(), text.size(), 0);
}

}  // namespace

void RemoveAll::operator()(const Path& path) const {
  if (path.empty()) return;
  const Path clean = path.filename().empty() ? path.parent_path() : path;
  const Path parent = clean.has_parent_path() ? clean.parent_path() : Path(".");
  const Fd dir(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir.valid()) {
    if (errno == ENOENT || errno == ENOTDIR) return;
    fail("open directory", parent);
  }
  remove_at(dir.get(), clean.filename().string(), clean);
}

std::vector<std::string> list_dir(const Path& dir) {
  const int fd = ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return {};
    fail("read directory", dir);
  }
  auto names = names_in(fd);
  if (!names) fail("read directory", dir);
  return std::move(*names);
}

std::vector<WalkEntry> walk_tree(const Path& root, const std::function<bool(const WalkEntry&)>& keep) {
  std::vector<WalkEntry> out;
  walk_into(root, "", keep, out);
  return out;
}

TempDir::TempDir(std::string_view prefix, const Path& parent) {
  const Path base = parent.empty() ? Path(env_var("TMPDIR").value_or("/tmp")) : parent;
  std::string pattern = (base / (std::string(prefix) + "XXXXXX")).string();
  if (::mkdtemp(pattern.data()) == nullptr) fail("create a directory in", base);
  path_ = pattern;
}

TempDir::~TempDir() {
  try {
    if (!path_.empty()) remove_all(path_);
  } catch (const Error&) {
    // Nobody can act on this; the system cleans its temporary directory.
  }
}

Path TempDir::release() {
  return std::exchange(path_, Path());
}

FileLock FileLock::acquire(const Path& path, const std::function<void(int)>& on_wait) {
  if (auto lock = try_acquire(path)) return std::move(*lock);
  Fd fd = open_lock(path);
  if (on_wait) on_wait(lock_holder(fd.get()));
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) fail("lock", path);
    if (StopSignal::requested())
      throw Error(ErrorKind::interrupted, "interrupted while waiting for a lock", path.string());
  }
  write_holder(fd.get());
  return FileLock(std::move(fd));
}

FileLock FileLock::acquire_shared(const Path& path) {
  Fd fd = open_lock(path);
  while (::flock(fd.get(), LOCK_SH) != 0) {
    if (errno != EINTR) fail("lock", path);
    if (StopSignal::requested())
      throw Error(ErrorKind::interrupted, "interrupted while waiting for a lock", path.string());
  }
  return FileLock(std::move(fd));
}

std::optional<FileLock> FileLock::try_acquire(const Path& path) {
  Fd fd = open_lock(path);
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::nullopt;
    if (errno != EINTR) fail("lock", path);
  }
  write_holder(fd.get());
  return FileLock(std::move(fd));
}

}  // namespace dae
