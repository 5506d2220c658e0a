#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>

#include "base/zip_parts.h"

namespace dae::zip_detail {
namespace {

constexpr size_t kHeaderBytes = 46;
constexpr std::string_view kHeader = "PK\1\2";
constexpr uint64_t kLargestDirectory = 128ull << 20;
constexpr uint16_t kZip64Field = 0x0001, kUnicodePathField = 0x7075;
// Compression level and what the two constants name. The others mean encryption, patches or things nobody defined.
constexpr uint16_t kKnownFlags = 1 << 1 | 1 << 2 | kHasDescriptor | kUtf8Name;
constexpr uint64_t kRatioFrom = 64ull << 20;

void check_flags(const Source& source, const Entry& entry) {
  if ((entry.flags & (1 << 0 | 1 << 6 | 1 << 13)) != 0)
    source.refuse(fmt::format("`{}` is encrypted", shown(entry.raw_name)));
  if ((entry.flags & ~kKnownFlags) != 0) {
    source.refuse(fmt::format("`{}` has flags of unknown meaning ({:#06x})", shown(entry.raw_name), entry.flags));
  }
  if (entry.member.method != 0 && entry.member.method != 8) {
    source.refuse(fmt::format("`{}` is packed by the unknown method {}", shown(entry.raw_name), entry.member.method));
  }
}

// Names without the UTF-8 flag are in code page 437 by the standard, and in UTF-8 or the user's character set for many
// programs: beyond ASCII no two readers need agree.
void check_name(const Source& source, const Entry& entry, const Extra& extra) {
  const bool ascii = entry.raw_name.find_first_of('\0') == std::string::npos &&
                     std::all_of(entry.raw_name.begin(), entry.raw_name.end(), [](char c) { return c >= 0; });
  if (!ascii && (entry.flags & kUtf8Name) == 0 && entry.raw_name.find('\0') == std::string::npos) {
    source.refuse(fmt::format("the name `{}` is not ASCII and not marked as UTF-8", shown(entry.raw_name)));
  }
  if (extra.unicode_path && *extra.unicode_path != entry.raw_name) {
    source.refuse(fmt::format("`{}` has a second name, `{}`", shown(entry.raw_name), shown(*extra.unicode_path)));
  }
  std::string_view plain = entry.raw_name;
  if (!plain.empty() && plain.back() == '/') plain.remove_suffix(1);
  const auto safe = archive_detail::safe_name(plain);
  const bool drive = plain.size() > 1 && plain[1] == ':' && std::isalpha(static_cast<unsigned char>(plain[0])) != 0;
  if (!safe || *safe != plain || drive) source.refuse(fmt::format("the name `{}` is not safe", shown(entry.raw_name)));
}

void check_kind(const Source& source, Entry& entry, uint32_t attributes) {
  const uint32_t mode = attributes >> 16;  // of Unix; others leave it 0 or, like Python on Windows, mean the same
  const uint32_t type = mode & S_IFMT;
  ZipMember& member = entry.member;
  member.is_dir = entry.raw_name.back() == '/';
  if (type == S_IFLNK) source.refuse(fmt::format("`{}` is a link", shown(entry.raw_name)));
  if (type != 0 && type != S_IFREG && type != S_IFDIR) {
    source.refuse(fmt::format("`{}` is neither a file nor a directory", shown(entry.raw_name)));
  }
  if (type != 0 && (type == S_IFDIR) != member.is_dir) {
    source.refuse(fmt::format("`{}` is a file and a directory", shown(entry.raw_name)));
  }
  member.executable = type == S_IFREG && (mode & 0111) != 0;  // as pip has it: without a type the bits mean nothing
  member.name = entry.raw_name.substr(0, entry.raw_name.size() - (member.is_dir ? 1 : 0));
}

void check_sizes(const Source& source, const Entry& entry, const ZipLimits& limits) {
  const ZipMember& member = entry.member;
  if (member.method == 0 && member.packed_bytes != member.size_bytes) {
    source.refuse(fmt::format("`{}` is stored, but its two sizes differ", shown(entry.raw_name)));
  }
  if (member.is_dir && member.size_bytes != 0)
    source.refuse(fmt::format("the directory `{}` has contents", shown(entry.raw_name)));
  if (member.size_bytes > limits.member_bytes) {
    source.refuse(fmt::format("`{}` unpacks to more than {} bytes", shown(entry.raw_name), limits.member_bytes));
  }
  // Deflate adds 5 bytes to blocks it cannot shrink, and a few when it is flushed; more is there to keep a reader busy.
  if (member.packed_bytes > 2 * member.size_bytes + 1024) {
    source.refuse(fmt::format("`{}` is much larger packed than unpacked", shown(entry.raw_name)));
  }
}

// 4.5.3: the fields that have no room in the header, in this order and no others.
void widen(const Source& source, const Extra& extra, Entry& entry, uint16_t disk) {
  std::string_view left = extra.zip64.value_or("");
  const auto take = [&](size_t bytes) {
    if (left.size() < bytes)
      source.refuse(fmt::format("the zip64 field of `{}` does not fit its header", shown(entry.raw_name)));
    const uint64_t value = bytes == 8 ? u64(left, 0) : u32(left, 0);
    left.remove_prefix(bytes);
    return value;
  };
  for (uint64_t* field : {&entry.member.size_bytes, &entry.member.packed_bytes, &entry.header_at}) {
    if (*field == kNone32) *field = take(8);
  }
  const uint64_t on_disk = disk == kNone16 ? take(4) : disk;
  if (on_disk != 0) source.refuse(fmt::format("`{}` is on another disk", shown(entry.raw_name)));
  if (!left.empty())
    source.refuse(fmt::format("the zip64 field of `{}` does not fit its header", shown(entry.raw_name)));
}

Entry read_entry(const Source& source, std::string_view& left, const ZipLimits& limits) {
  if (left.size() < kHeaderBytes || left.substr(0, 4) != kHeader) {
    source.refuse("the ZIP archive's directory is damaged");
  }
  const size_t name_bytes = u16(left, 28), extra_bytes = u16(left, 30), comment_bytes = u16(left, 32);
  const size_t bytes = kHeaderBytes + name_bytes + extra_bytes + comment_bytes;
  if (left.size() < bytes) source.refuse("the ZIP archive's directory is damaged");
  Entry out;
  out.flags = u16(left, 8);
  out.member.method = u16(left, 10);
  out.member.crc32 = u32(left, 16);
  out.member.packed_bytes = u32(left, 20);
  out.member.size_bytes = u32(left, 24);
  out.header_at = u32(left, 42);
  out.raw_name = left.substr(kHeaderBytes, name_bytes);
  if (out.raw_name.empty()) source.refuse("a member of the ZIP archive has no name");
  const Extra extra = parse_extra(source, out.raw_name, left.substr(kHeaderBytes + name_bytes, extra_bytes));
  check_flags(source, out);
  check_name(source, out, extra);
  widen(source, extra, out, u16(left, 34));
  check_kind(source, out, u32(left, 38));
  check_sizes(source, out, limits);
  left.remove_prefix(bytes);
  return out;
}

}  // namespace

Extra parse_extra(const Source& source, std::string_view name, std::string_view bytes) {
  Extra out;
  while (!bytes.empty()) {
    if (bytes.size() < 4 || bytes.size() - 4 < u16(bytes, 2)) {
      source.refuse(fmt::format("the extra fields of `{}` are damaged", shown(name)));
    }
    const uint16_t id = u16(bytes, 0);
    const std::string_view field = bytes.substr(4, u16(bytes, 2));
    bytes.remove_prefix(4 + field.size());
    if (id == kZip64Field) {
      if (out.zip64) source.refuse(fmt::format("`{}` has two zip64 fields", shown(name)));
      out.zip64 = field;
    } else if (id == kUnicodePathField) {
      // Version, CRC of the header's name, the name. Readers differ in whether they look at any of the three.
      const std::string_view path = field.size() > 5 ? field.substr(5) : std::string_view();
      if (out.unicode_path) source.refuse(fmt::format("`{}` has a second name, `{}`", shown(name), shown(path)));
      out.unicode_path = path;
    }
  }
  return out;
}

std::vector<Entry> read_directory(Source& source, const EndRecord& end, const ZipLimits& limits) {
  if (end.entries > limits.members) {
    source.refuse(fmt::format("the ZIP archive has more than {} members", limits.members));
  }
  if (end.directory_bytes > kLargestDirectory || end.directory_bytes / kHeaderBytes < end.entries) {
    source.refuse("the ZIP archive's directory is damaged");
  }
  std::string_view left = source.at(end.directory_at, static_cast<size_t>(end.directory_bytes));
  const Path subject = source.subject();
  archive_detail::NameGuard guard(subject);
  std::vector<Entry> out;
  out.reserve(static_cast<size_t>(end.entries));
  uint64_t packed = 0, size = 0;
  for (uint64_t i = 0; i < end.entries; ++i) {
    out.push_back(read_entry(source, left, limits));
    const ZipMember& member = out.back().member;
    using Kind = archive_detail::EntryKind;
    if (!guard.accept(member.name, member.is_dir ? Kind::directory : Kind::file)) {
      source.refuse(fmt::format("`{}` is in it twice", member.name));
    }
    packed += member.packed_bytes;  // no overflow: members * member_bytes is far from 2^64
    size += member.size_bytes;
    if (size > limits.total_bytes) {
      source.refuse(fmt::format("the ZIP archive unpacks to more than {} bytes", limits.total_bytes));
    }
  }
  if (!left.empty()) source.refuse("the ZIP archive's directory has more entries than the end record says");
  if (size > kRatioFrom && size / limits.ratio > packed) {
    source.refuse(fmt::format("the ZIP archive unpacks to more than {} times its size", limits.ratio));
  }
  return out;
}

}  // namespace dae::zip_detail
