#pragma once
// ZIP archives as wheels use them, read by their central directory and by nothing else (APPNOTE 6.3.10: local header
// 4.3.7, central directory 4.3.12, zip64 4.3.14 and 4.5.3, end record 4.3.16). Two readers must not be able to see two
// different archives: where the local headers say other than the directory, where members overlap, leave gaps or are
// preceded or followed by other bytes, where a name comes twice, opening fails. So it does at encrypted members, other
// methods than stored and deflated, several disks, names beyond ASCII without the UTF-8 flag (code page 437 for some,
// UTF-8 for others), second names in extra fields, links and devices.
// Let through, because no two readers differ over it: comments without an end record's signature in them; data
// descriptors of every form; zip64 fields of local headers that repeat what the header has room for.
// Everything here throws Error bad_input with `subject` and a message that names the member.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/fs.h"

namespace dae {

struct ZipLimits {
  uint64_t total_bytes = 8ull << 30;  // unpacked
  uint64_t member_bytes = 4ull << 30;
  uint64_t members = 200'000;
  uint64_t ratio = 1000;  // unpacked / packed of all members together, once over 64 MiB unpacked
};

struct ZipMember {
  std::string name;  // '/' separated, relative, UTF-8, no trailing slash: safe below a directory
  bool is_dir = false;
  bool executable = false;  // any x bit of a Unix mode that says it is a file, as pip has it
  uint16_t method = 0;      // 0 stored, 8 deflated; others are refused
  uint32_t crc32 = 0;
  uint64_t packed_bytes = 0, size_bytes = 0;
  uint64_t offset = 0;  // of the packed bytes in the file
};

class ZipFile {
 public:
  // Checks all of the above and the names: no absolute or escaping ones, no '\\', control characters or links, nothing
  // that differs from another name in case alone or needs a file as its directory.
  static ZipFile open(const Path& file, std::string subject, const ZipLimits& limits = {});
  ZipFile(ZipFile&&) = default;
  ZipFile& operator=(ZipFile&&) = default;

  const std::vector<ZipMember>& members() const { return members_; }  // in the order of their bytes
  const ZipMember* find(std::string_view name) const;                 // a file; null when there is none
  const std::string& subject() const { return subject_; }

  // The unpacked bytes: in one piece up to kWholeBytes, else in pieces of at most that, so that memory does not grow
  // with the member. CRC and size are checked before the last call returns to the caller. Any number of threads.
  static constexpr size_t kWholeBytes = 4 << 20;
  void read(const ZipMember& member, const std::function<void(std::string_view piece)>& take) const;
  std::string read(const ZipMember& member, uint64_t limit_bytes = 16ull << 20) const;

 private:
  ZipFile(Fd fd, std::string subject) : fd_(std::move(fd)), subject_(std::move(subject)) {}
  Fd fd_;
  std::string subject_;
  std::vector<ZipMember> members_;
  std::unordered_map<std::string_view, size_t> by_name_;  // files; views of the names in members_
};

}  // namespace dae
