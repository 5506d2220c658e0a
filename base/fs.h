#pragma once
// Every touch of the disk goes through here: atomic replace, durable append, link-or-copy, sorted walks, locks.
// All functions throw Error (io or not_found) with the path as subject unless the name says otherwise.
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"  // env_var(), home_dir(), cache_dir(), …

namespace dae {

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release();
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

struct FileInfo {
  uint64_t size_bytes = 0;
  int64_t mtime_ns = 0;
  uint64_t inode = 0;
  uint32_t mode = 0;  // st_mode
  bool is_dir() const;
  bool is_file() const;
  bool is_symlink() const;
};

// lstat; nullopt when nothing is there.
std::optional<FileInfo> file_info(const Path& path);

// `exists`, `remove_all` and `copy_file` are function objects: as plain functions each call with a Path would be
// ambiguous with its namesake in std::filesystem (argument-dependent lookup).
struct Exists {
  bool operator()(const Path& path) const;
};
inline constexpr Exists exists{};  // follows links

// Refuses files over `limit_bytes` (Error bad_input): a file from outside never fills memory.
std::string read_file(const Path& path, uint64_t limit_bytes = 256ull << 20);
std::optional<std::string> read_file_if_exists(const Path& path, uint64_t limit_bytes = 256ull << 20);

// After a power cut: fsync = the new bytes are there; contents = the old bytes or the new ones, whole, for files that
// can be made again; none = perhaps neither.
enum class Durability { fsync, contents, none };
// Writes a temporary file beside `path`, (fsync), renames it over `path`, (fsyncs the directory).
// A reader sees the old bytes or the new ones, never a part; a crash leaves one of the two.
void write_file_atomic(const Path& path, std::string_view bytes, mode_t mode = 0644,
                       Durability durability = Durability::fsync);
// The bytes from `offset` on, at most the last `limit_bytes` of them: for logs that are being written. Empty when
// absent.
std::string read_file_tail(const Path& path, uint64_t limit_bytes, uint64_t offset = 0);
// The first bytes, at most `bytes` of them: what kind of file it is.
std::string read_file_head(const Path& path, size_t bytes);
// One write(2) with O_APPEND; creates the file.
void append_file(const Path& path, std::string_view bytes);

void make_dirs(const Path& path, mode_t mode = 0755);
// Removes a file, link or whole tree (read-only directories included, links never followed). No error when absent.
struct RemoveAll {
  void operator()(const Path& path) const;
};
inline constexpr RemoveAll remove_all{};
bool remove_file(const Path& path);  // false when absent
void rename_path(const Path& from, const Path& to);
void fsync_dir(const Path& dir);
void truncate_file(const Path& path);     // to nothing; writers with O_APPEND go on at the start
void sync_file_system(const Path& path);  // everything written so far survives a power cut (syncfs)
void set_mode(const Path& path, mode_t mode);
void set_mtime_s(const Path& path, int64_t seconds);  // since 1970

// Points `link` at `target` by making a new link and renaming it: readers always see one of the two.
void symlink_atomic(const std::string& target, const Path& link);
std::optional<std::string> read_link(const Path& link);  // nullopt when it is no link

// Hard link when the file system allows it, else a copy with the same mode. Fails when `to` exists.
void link_or_copy(const Path& from, const Path& to);
// Replaces `to` atomically.
struct CopyFile {
  void operator()(const Path& from, const Path& to, mode_t mode = 0644) const;
};
inline constexpr CopyFile copy_file{};

struct WalkEntry {
  Path path;             // full
  std::string relative;  // with '/', from the root of the walk
  FileInfo info;
};
// Depth first, entries of a directory sorted bytewise, links not followed, the root itself not included.
// `keep` may prune: returning false for a directory skips what is below it.
std::vector<WalkEntry> walk_tree(const Path& root, const std::function<bool(const WalkEntry&)>& keep = {});
std::vector<std::string> list_dir(const Path& dir);  // names, sorted; empty when absent

// A directory of our own that goes with the object. Made below `parent` (default: $TMPDIR or /tmp).
class TempDir {
 public:
  explicit TempDir(std::string_view prefix = "dae-", const Path& parent = {});
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const Path& path() const { return path_; }
  Path release();  // keep it

 private:
  Path path_;
};

// Advisory lock between processes (flock). The holder's pid is in the file, for messages.
class FileLock {
 public:
  // Waits; calls `on_wait(holder_pid)` once if it has to.
  static FileLock acquire(const Path& path, const std::function<void(int)>& on_wait = {});
  static std::optional<FileLock> try_acquire(const Path& path);
  // Any number of holders at once, none beside the holder of acquire(). Waits for that one.
  static FileLock acquire_shared(const Path& path);
  FileLock(FileLock&&) = default;
  FileLock& operator=(FileLock&&) = default;

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace dae
