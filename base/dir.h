#pragma once
// An open directory and what stands below it, with one system call an action: names are relative paths with '/', as C
// strings that need no copy. For code that touches thousands of files; elsewhere base/fs.h.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"

namespace dae {

class Dir {
 public:
  // Throws not_found when it is not there, io otherwise; with `create` it is made with its parents.
  static Dir open(const Path& path, bool create = false);
  const Path& path() const { return path_; }

  // False: something of that name is there already (it may be a file). The parent has to exist.
  bool make_dir(const char* name, mode_t mode = 0755) const;
  // What a link call answers; any other failure is thrown.
  enum class Linked {
    done,
    taken,        // something has that name
    impossible,   // this pair of file systems has no such links (EXDEV, EPERM, ENOSYS, EOPNOTSUPP …)
    too_many,     // the file has all the names it can have (EMLINK)
    no_such_dir,  // the new name's directory (or the source) is missing
  };
  Linked hard_link(const char* name, const Dir& to, const char* new_name) const;
  struct Modes {
    mode_t plain = 0644, program = 0755;  // the second when somebody may execute the source
  };
  // A new file that shares the blocks of `name` (FICLONE), or else a copy of its bytes.
  Linked reflink(const char* name, const Dir& to, const char* new_name, const Modes& modes) const;
  Linked copy(const char* name, const Dir& to, const char* new_name, const Modes& modes) const;
  Linked symlink(const std::string& target, const char* new_name) const;
  // A new file (O_EXCL); not atomic and not synced: whoever calls can tell a half-done run from a done one.
  Linked write_new(const char* name, std::string_view bytes, mode_t mode) const;
  // The same in pieces; nullopt: something has that name.
  class Writer {
   public:
    void write(std::string_view bytes);

   private:
    friend class Dir;
    Writer(Path path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
    Path path_;
    Fd fd_;
  };
  std::optional<Writer> create(const char* name, mode_t mode) const;
  void set_mode(const char* name, mode_t mode) const;
  void touch(const char* name) const;  // the time of the last change is now
  // Swaps two entries atomically (RENAME_EXCHANGE); false where the file system cannot.
  bool exchange(const char* one, const char* other) const;
  void rename(const char* from, const char* to) const;
  bool remove(const char* name) const;                           // a file or link; false when absent
  bool remove_dir(const char* name) const;                       // false when absent or not empty
  std::optional<FileInfo> info(const char* name) const;          // lstat; nullopt when nothing is there
  std::optional<std::string> read_link(const char* name) const;  // nullopt when it is no link
  std::vector<std::string> list(const char* name) const;         // names, sorted; empty when absent

 private:
  struct Source;
  Source open_source(const char* name) const;
  Dir(Path path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  Path path_;
  Fd fd_;
};

}  // namespace dae
