#include <fmt/format.h>

#include <algorithm>

#include "base/zip_parts.h"

namespace dae::zip_detail {
namespace {

constexpr size_t kEndBytes = 22, kLocatorBytes = 20, kEnd64Bytes = 56;
constexpr size_t kLongestComment = 0xffff;
constexpr std::string_view kEnd = "PK\5\6", kLocator = "PK\6\7", kEnd64 = "PK\6\6";

bool fits(std::string_view tail, size_t at) {
  return at + kEndBytes <= tail.size() && at + kEndBytes + u16(tail, at + 20) == tail.size();
}

// Readers differ in which end record they take: the first or the last, with a comment that fits or any. There is one
// answer when the last signature has a fitting comment and no other one does.
size_t find_end(const Source& source, std::string_view tail) {
  const size_t last = tail.rfind(kEnd);
  if (last == std::string_view::npos) source.refuse("it is no ZIP archive: there is no end record");
  if (!fits(tail, last)) source.refuse("the end record of the ZIP archive is not at its end");
  for (size_t at = tail.find(kEnd); at < last; at = tail.find(kEnd, at + 1)) {
    if (fits(tail, at)) source.refuse("the ZIP archive has two end records");
  }
  return last;
}

// A field of the end record and of its zip64 twin: the twin counts where the field says so, else both are the same.
template <typename Number>
bool agrees(Number narrow, uint64_t wide) {
  return narrow == static_cast<Number>(-1) || narrow == wide;
}

struct End64 {
  EndRecord record;
  uint64_t at = 0;
};

End64 read_end64(Source& source, uint64_t end_at, const std::string& locator, const std::string& end) {
  End64 out;
  out.at = u64(locator, 8);
  if (u32(locator, 4) != 0 || u32(locator, 16) != 1) source.refuse("the ZIP archive is one of several disks");
  if (out.at > end_at || end_at - out.at != kEnd64Bytes + kLocatorBytes) {
    source.refuse("the zip64 end record is not where its locator says");
  }
  const std::string_view record = source.at(out.at, kEnd64Bytes);
  if (record.substr(0, 4) != kEnd64 || u64(record, 4) != kEnd64Bytes - 12) {
    source.refuse("the zip64 end record is not where its locator says");
  }
  if (u32(record, 16) != 0 || u32(record, 20) != 0) source.refuse("the ZIP archive is one of several disks");
  out.record = {u64(record, 48), u64(record, 40), u64(record, 32)};
  const uint16_t entries_here = u16(end, 8), entries = u16(end, 10);
  const uint32_t bytes = u32(end, 12), at = u32(end, 16);
  if (u64(record, 24) != out.record.entries || !agrees(entries_here, out.record.entries) ||
      !agrees(entries, out.record.entries) || !agrees(bytes, out.record.directory_bytes) ||
      !agrees(at, out.record.directory_at)) {
    source.refuse("the end record and the zip64 end record contradict each other");
  }
  if (entries != kNone16 && bytes != kNone32 && at != kNone32) {
    source.refuse("the ZIP archive has a zip64 end record that its end record does not ask for");
  }
  return out;
}

}  // namespace

EndRecord find_end_record(Source& source) {
  const uint64_t size = source.size_bytes();
  const auto tail_bytes = static_cast<size_t>(std::min<uint64_t>(size, kEndBytes + kLongestComment));
  const std::string_view tail = source.at(size - tail_bytes, tail_bytes);
  const size_t found = find_end(source, tail);
  const std::string end(tail.substr(found, kEndBytes));
  const uint64_t end_at = size - tail_bytes + found;
  const uint16_t disk = u16(end, 4), directory_disk = u16(end, 6);
  const std::string locator(end_at >= kLocatorBytes ? source.at(end_at - kLocatorBytes, kLocatorBytes) : "");
  const bool zip64 = locator.substr(0, 4) == kLocator;
  if ((disk != 0 && !(zip64 && disk == kNone16)) || (directory_disk != 0 && !(zip64 && directory_disk == kNone16))) {
    source.refuse("the ZIP archive is one of several disks");
  }
  EndRecord out{u32(end, 16), u32(end, 12), u16(end, 10)};
  uint64_t directory_end = end_at;
  if (zip64) {
    const End64 wide = read_end64(source, end_at, locator, end);
    out = wide.record;
    directory_end = wide.at;
  } else if (u16(end, 8) != out.entries) {
    source.refuse("the ZIP archive is one of several disks");
  }
  if (out.directory_at > directory_end || directory_end - out.directory_at != out.directory_bytes) {
    source.refuse("the ZIP archive's directory is not directly in front of its end record");
  }
  return out;
}

}  // namespace dae::zip_detail
