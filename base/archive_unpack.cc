#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/archive.h"
#include "base/archive_scan.h"
#include "base/error.h"

namespace dae {

namespace {

void write_all(int fd, std::string_view bytes, const Path& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw os_error("cannot write", path.string(), errno);
    bytes.remove_prefix(static_cast<size_t>(put));
  }
}

void unpack_file(const Path& path, bool executable, const ArchiveRead& read) {
  // O_EXCL: nothing that was there before, or that another entry made, is written to.
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) throw os_error("cannot create the file", path.string(), errno);
  read([&](std::string_view piece) { write_all(fd.get(), piece, path); });
  if (::fchmod(fd.get(), executable ? 0755 : 0644) != 0) throw os_error("cannot set the mode", path.string(), errno);
}

class DirectoryMaker {
 public:
  explicit DirectoryMaker(const Path& root) : root_(root) {}

  // Makes the parents of `name`, and itself when `itself`; the last one made is remembered: archives are mostly sorted.
  void make(const std::string& name, bool itself) {
    const size_t slash = name.rfind('/');
    const std::string dir = itself ? name : slash == std::string::npos ? "" : name.substr(0, slash);
    if (dir.empty() || dir == last_) return;
    make(dir, false);
    const Path path = root_ / dir;
    if (::mkdir(path.c_str(), 0755) == 0) {
      set_mode(path, 0755);  // whatever the umask is
    } else if (errno != EEXIST) {
      throw os_error("cannot make the directory", path.string(), errno);
    }
    last_ = dir;
  }

 private:
  const Path& root_;
  std::string last_;
};

}  // namespace

void unpack_archive(const Path& file, const Path& destination, const ArchiveLimits& limits, int strip) {
  DirectoryMaker directories(destination);
  std::vector<std::pair<std::string, Path>> links;
  archive_detail::scan_archive(file, limits, strip, [&](const ArchiveEntry& entry, const ArchiveRead& read) {
    directories.make(entry.name, entry.is_dir);
    if (entry.is_dir) return;
    const Path path = destination / entry.name;
    if (entry.link_target.empty()) {
      unpack_file(path, entry.executable, read);
    } else {
      links.emplace_back(entry.link_target, path);
    }
  });
  // Last, so that no file is ever written through one.
  for (const auto& [target, path] : links) {
    if (::symlink(target.c_str(), path.c_str()) != 0) throw os_error("cannot make the link", path.string(), errno);
  }
}

}  // namespace dae
