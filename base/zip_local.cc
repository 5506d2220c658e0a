#include <fmt/format.h>

#include <algorithm>

#include "base/zip_parts.h"

namespace dae::zip_detail {
namespace {

constexpr size_t kHeaderBytes = 30;
constexpr std::string_view kHeader = "PK\3\4", kDescriptor = "PK\7\x08";

[[noreturn]] void refuse_contradiction(const Source& source, const Entry& entry, std::string_view what) {
  source.refuse(fmt::format("the directory and the local header of `{}` disagree on its {}", entry.member.name, what));
}

// With a descriptor the three numbers may be left out (4.4.4: they are 0 then); what is there has to be right.
void check_numbers(const Source& source, const Entry& entry, uint32_t crc, uint64_t packed, uint64_t size) {
  const bool later = (entry.flags & kHasDescriptor) != 0;
  const ZipMember& member = entry.member;
  if (crc != member.crc32 && !(later && crc == 0)) refuse_contradiction(source, entry, "CRC");
  if ((packed != member.packed_bytes && !(later && packed == 0)) ||
      (size != member.size_bytes && !(later && size == 0))) {
    refuse_contradiction(source, entry, "size");
  }
  // Who reads from the front could only guess where such a member ends.
  if (later && member.method == 0 && packed != member.packed_bytes) {
    source.refuse(fmt::format("`{}` is stored and its size is told behind it only", member.name));
  }
}

struct Local {
  uint64_t data_at = 0;
  bool zip64 = false;
};

Local check_header(Source& source, const Entry& entry) {
  const ZipMember& member = entry.member;
  const std::string_view fixed = source.at(entry.header_at, kHeaderBytes);
  if (fixed.substr(0, 4) != kHeader) source.refuse(fmt::format("`{}` has no local header", member.name));
  const uint16_t flags = u16(fixed, 6), method = u16(fixed, 8);
  const uint32_t crc = u32(fixed, 14);
  uint64_t packed = u32(fixed, 18), size = u32(fixed, 22);
  const size_t name_bytes = u16(fixed, 26), extra_bytes = u16(fixed, 28);
  const std::string_view rest = source.at(entry.header_at + kHeaderBytes, name_bytes + extra_bytes);
  if (rest.substr(0, name_bytes) != entry.raw_name) refuse_contradiction(source, entry, "name");
  if (flags != entry.flags) refuse_contradiction(source, entry, "flags");
  if (method != member.method) refuse_contradiction(source, entry, "method");
  const Extra extra = parse_extra(source, member.name, rest.substr(name_bytes));
  if (extra.unicode_path && *extra.unicode_path != entry.raw_name) {
    source.refuse(fmt::format("`{}` has a second name, `{}`", member.name, shown(*extra.unicode_path)));
  }
  if (extra.zip64) {
    // 4.5.3: in the local header both sizes, always. Bazel's writer repeats there what the header has room for, which
    // misleads nobody as long as it is the same.
    const auto fits = [](uint64_t narrow, uint64_t wide) { return narrow == kNone32 || narrow == wide; };
    if (extra.zip64->size() != 16 || !fits(size, u64(*extra.zip64, 0)) || !fits(packed, u64(*extra.zip64, 8))) {
      source.refuse(fmt::format("the zip64 field of `{}` does not fit its header", member.name));
    }
    size = u64(*extra.zip64, 0);
    packed = u64(*extra.zip64, 8);
  }
  check_numbers(source, entry, crc, packed, size);
  return {entry.header_at + kHeaderBytes + name_bytes + extra_bytes, extra.zip64.has_value()};
}

// 4.3.9: CRC and sizes once more behind the data, with a signature or without; the sizes in 64 bits when the local
// header has a zip64 field.
void check_descriptor(Source& source, const Entry& entry, const Local& local, uint64_t at, uint64_t bytes) {
  const size_t numbers = local.zip64 ? 20 : 12;
  const auto bad = [&] { source.refuse(fmt::format("the data descriptor of `{}` is wrong", entry.member.name)); };
  if (bytes != numbers && bytes != numbers + 4) bad();
  std::string_view text = source.at(at, static_cast<size_t>(bytes));
  if (bytes == numbers + 4) {
    if (text.substr(0, 4) != kDescriptor) bad();
    text.remove_prefix(4);
  }
  const uint64_t packed = local.zip64 ? u64(text, 4) : u32(text, 4);
  const uint64_t size = local.zip64 ? u64(text, 12) : u32(text, 8);
  if (u32(text, 0) != entry.member.crc32 || packed != entry.member.packed_bytes || size != entry.member.size_bytes) {
    bad();
  }
}

}  // namespace

void check_local_headers(Source& source, uint64_t directory_at, std::vector<Entry>& entries) {
  const auto earlier = [](const Entry& a, const Entry& b) { return a.header_at < b.header_at; };
  if (!std::is_sorted(entries.begin(), entries.end(), earlier)) std::sort(entries.begin(), entries.end(), earlier);
  if (const uint64_t first = entries.empty() ? directory_at : entries[0].header_at; first != 0) {
    source.refuse(fmt::format("the ZIP archive begins with {} bytes that belong to no member", first));
  }
  for (size_t i = 0; i < entries.size(); ++i) {
    Entry& entry = entries[i];
    const uint64_t next = i + 1 < entries.size() ? entries[i + 1].header_at : directory_at;
    const Local local = check_header(source, entry);
    if (local.data_at > next || next - local.data_at < entry.member.packed_bytes) {
      source.refuse(fmt::format("`{}` overlaps what follows it", entry.member.name));
    }
    entry.member.offset = local.data_at;
    const uint64_t end = local.data_at + entry.member.packed_bytes;
    if ((entry.flags & kHasDescriptor) != 0) {
      check_descriptor(source, entry, local, end, next - end);
    } else if (next != end) {
      source.refuse(fmt::format("{} bytes behind `{}` belong to no member", next - end, entry.member.name));
    }
  }
}

}  // namespace dae::zip_detail
