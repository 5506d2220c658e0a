#pragma once
// The steps of opening a ZIP archive. Private to base/zip*.cc.
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/archive_names.h"
#include "base/zip.h"

namespace dae::zip_detail {

using archive_detail::shown;

// Numbers are little-endian (APPNOTE 4.4.1.1), as on every machine this is built for.
template <typename Number>
Number number_at(std::string_view bytes, size_t at) {
  Number out;
  std::memcpy(&out, bytes.data() + at, sizeof out);
  return out;
}
inline constexpr auto u16 = number_at<uint16_t>;
inline constexpr auto u32 = number_at<uint32_t>;
inline constexpr auto u64 = number_at<uint64_t>;

inline constexpr uint16_t kNone16 = 0xffff;      // "see the zip64 field"
inline constexpr uint32_t kNone32 = 0xffffffff;  // the same

inline constexpr uint16_t kHasDescriptor = 1 << 3;
inline constexpr uint16_t kUtf8Name = 1 << 11;

// The file, and how to say no to it.
class Source {
 public:
  Source(const Fd& fd, uint64_t size_bytes, const std::string& subject)
      : fd_(fd), size_bytes_(size_bytes), subject_(subject) {}
  uint64_t size_bytes() const { return size_bytes_; }
  const std::string& subject() const { return subject_; }
  // Those bytes, valid until the next call; refuses when the file ends before them.
  std::string_view at(uint64_t offset, size_t bytes);
  [[noreturn]] void refuse(const std::string& message) const;

 private:
  const Fd& fd_;
  uint64_t size_bytes_;
  const std::string& subject_;
  std::string window_;
  uint64_t window_at_ = 0;
};

// Fills `to` from `offset` on; false when the file ends before that.
bool read_exactly(const Fd& fd, uint64_t offset, char* to, size_t bytes, const std::string& subject);

struct EndRecord {
  uint64_t directory_at = 0, directory_bytes = 0, entries = 0;
};
EndRecord find_end_record(Source& source);

// The extra fields that change what a header says (APPNOTE 4.5.3, 4.6.9).
struct Extra {
  std::optional<std::string_view> zip64, unicode_path;
};
Extra parse_extra(const Source& source, std::string_view name, std::string_view bytes);

struct Entry {
  ZipMember member;
  std::string raw_name;  // as the directory spells it
  uint16_t flags = 0;
  uint64_t header_at = 0;
};
// In the order of the directory. `offset` of the members is not known yet.
std::vector<Entry> read_directory(Source& source, const EndRecord& end, const ZipLimits& limits);

// Compares each local header with the directory and sets `offset`; sorts by it. The members must fill the file from its
// first byte to the directory.
void check_local_headers(Source& source, uint64_t directory_at, std::vector<Entry>& entries);

}  // namespace dae::zip_detail
