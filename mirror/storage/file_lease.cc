#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "mirror/storage/lease.h"

namespace dae::mirror {
namespace {

constexpr int64_t kFirstPauseMs = 2, kLongestPauseMs = 40;
// "FENCE PID" and spaces: within one sector, which disks write whole.
constexpr size_t kRecord = 64;

struct Record {
  int64_t fence = 0, pid = 0;
};

Record read_record(const Fd& fd, const Path& file) {
  std::string text(kRecord, '\0');
  const ssize_t got = pread(fd.get(), text.data(), text.size(), 0);
  if (got < 0) throw os_error("cannot read the lock", file, errno);
  text.resize(static_cast<size_t>(got));
  // Nobody got a number yet: the first holder gets its after its record is on the disk.
  if (text.find_first_not_of('\0') == std::string::npos) return {};
  const std::vector<std::string> parts = split(trim(text), ' ');
  const auto fence = parse_int(parts.front());
  if (!fence || *fence < 0) {
    throw Error(ErrorKind::bad_input, "the lock's file is damaged", file)
        .because("it does not begin with a number")
        .with_hint("when nothing uses the storage, write a number into it that is larger than every fence before");
  }
  return {*fence, parts.size() > 1 ? parse_int(parts[1]).value_or(0) : 0};
}

void write_record(const Fd& fd, const Path& file, int64_t fence) {
  std::string text = fmt::format("{} {}", fence, getpid());
  text.resize(kRecord - 1, ' ');
  text += '\n';
  if (pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) || fsync(fd.get()) != 0) {
    throw os_error("cannot write the lock", file, errno);
  }
}

class HeldFile final : public HeldLease {
 public:
  HeldFile(Fd fd, int64_t fence) : fd_(std::move(fd)), fence_(fence) {}
  int64_t fence() const override { return fence_; }
  // The kernel takes it from nobody.
  bool holds_for(int64_t) const override { return true; }

 private:
  Fd fd_;
  int64_t fence_;
};

class FileLease final : public Lease {
 public:
  explicit FileLease(Path file) : file_(std::move(file)) {}

  std::unique_ptr<HeldLease> acquire(int64_t wait_ms) override {
    SystemClock clock;
    const int64_t deadline_ms = clock.monotonic_ms() + wait_ms;
    for (int64_t pause_ms = kFirstPauseMs;; pause_ms = std::min(2 * pause_ms, kLongestPauseMs)) {
      Fd fd = open_file();
      if (auto held = try_lock(fd)) return held;
      const int64_t left_ms = deadline_ms - clock.monotonic_ms();
      if (left_ms <= 0) throw taken(fd);
      clock.sleep_ms(std::min(pause_ms, left_ms));
    }
  }

 private:
  Fd open_file() const {
    Fd fd(open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!fd.valid()) throw os_error("cannot open the lock", file_, errno);
    return fd;
  }

  std::unique_ptr<HeldLease> try_lock(Fd& fd) const {
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK || errno == EINTR) return nullptr;
      throw os_error("cannot lock", file_, errno);
    }
    // Somebody may have removed or replaced it between our open and our lock.
    struct stat ours {};
    const auto named = file_info(file_);
    if (fstat(fd.get(), &ours) != 0 || !named || named->inode != ours.st_ino) return nullptr;
    const int64_t fence = read_record(fd, file_).fence + 1;
    write_record(fd, file_, fence);
    if (fence == 1) fsync_dir(file_.has_parent_path() ? file_.parent_path() : Path("."));
    return std::make_unique<HeldFile>(std::move(fd), fence);
  }

  Error taken(const Fd& fd) const {
    Error error(ErrorKind::refused, "another process writes to the storage", file_);
    try {
      if (const int64_t pid = read_record(fd, file_).pid; pid > 0) error.because(fmt::format("process {}", pid));
    } catch (const Error&) {
      // Its holder writes it at this moment.
    }
    return error;
  }

  Path file_;
};

}  // namespace

std::unique_ptr<Lease> make_file_lease(const Path& file) {
  return std::make_unique<FileLease>(file);
}

}  // namespace dae::mirror
