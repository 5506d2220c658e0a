#include "resolver/source/zip_tail.h"

#include <libdeflate.h>

#include <memory>
#include <optional>

#include "base/error.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMaxDirectoryBytes = 64ull << 20;
constexpr uint64_t kMaxMetadataBytes = 16ull << 20;
constexpr size_t kEndSize = 22, kEntrySize = 46, kLocalSize = 30;

struct Bad {
  std::string_view archive;
  [[noreturn]] void operator()(const char* what) const {
    throw Error(ErrorKind::bad_input, what, std::string(archive));
  }
};

uint16_t u16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[at]) | (static_cast<uint8_t>(bytes[at + 1]) << 8));
}
uint32_t u32(std::string_view bytes, size_t at) {
  return static_cast<uint32_t>(u16(bytes, at)) | (static_cast<uint32_t>(u16(bytes, at + 2)) << 16);
}

struct Directory {
  uint64_t offset = 0, size = 0;
  uint16_t entries = 0;
};

// The record ends the archive but for its comment; scanning backwards, only a record whose comment ends exactly there
// counts, so that a comment which looks like a record cannot take its place.
Directory find_directory(const ZipTail& tail, const Bad& bad) {
  const std::string_view bytes = tail.bytes;
  if (bytes.size() < kEndSize) bad("not a zip archive: too short");
  for (size_t at = bytes.size() - kEndSize + 1; at-- > 0;) {
    if (bytes.compare(at, 4, "PK\5\6", 4) != 0 || at + kEndSize + u16(bytes, at + 20) != bytes.size()) continue;
    if (u16(bytes, at + 4) != 0 || u16(bytes, at + 6) != 0) bad("zip archive in several volumes");
    Directory out{u32(bytes, at + 16), u32(bytes, at + 12), u16(bytes, at + 10)};
    if (out.offset == 0xffffffff || out.size == 0xffffffff || out.entries == 0xffff) bad("zip64 archive");
    const uint64_t end_at = tail.archive_bytes - bytes.size() + at;
    // Nothing may stand between the directory and its end record: two readers must not see two directories.
    if (out.offset + out.size != end_at) bad("zip directory is not where its end record says");
    if (out.size > kMaxDirectoryBytes) bad("zip directory is too large");
    return out;
  }
  bad("not a zip archive: no end record");
}

// A piece of the archive: out of the tail when it is in there, else read.
std::string piece(const ZipTail& tail, const ReadAt& read, uint64_t offset, uint64_t size) {
  const uint64_t tail_at = tail.archive_bytes - tail.bytes.size();
  if (offset >= tail_at) return tail.bytes.substr(offset - tail_at, size);
  return read(offset, size);
}

struct Member {
  std::string name;
  uint16_t method = 0;
  uint32_t crc = 0;
  uint64_t packed = 0, size = 0, offset = 0;
};

bool is_metadata_name(std::string_view name) {
  const size_t slash = name.find('/');
  return slash != std::string_view::npos && name.substr(slash + 1) == "METADATA" &&
         name.substr(0, slash).ends_with(".dist-info");
}

Member find_metadata(std::string_view directory, uint16_t entries, const Bad& bad) {
  std::optional<Member> found;
  size_t at = 0;
  for (uint16_t i = 0; i < entries; ++i) {
    if (directory.size() - at < kEntrySize || directory.compare(at, 4, "PK\1\2", 4) != 0) bad("broken zip directory");
    const size_t name_size = u16(directory, at + 28);
    const size_t rest = name_size + u16(directory, at + 30) + u16(directory, at + 32);
    if (directory.size() - at - kEntrySize < rest) bad("broken zip directory");
    const std::string_view name = directory.substr(at + kEntrySize, name_size);
    if (is_metadata_name(name)) {
      if (found) bad("two METADATA files in one wheel");
      if ((u16(directory, at + 8) & 1) != 0) bad("METADATA is encrypted");
      found = Member{std::string(name),       u16(directory, at + 10), u32(directory, at + 16),
                     u32(directory, at + 20), u32(directory, at + 24), u32(directory, at + 42)};
    }
    at += kEntrySize + rest;
  }
  if (at != directory.size()) bad("broken zip directory");
  if (!found) bad("no METADATA in the wheel");
  return *found;
}

std::string inflate(const Member& member, std::string_view packed, const Bad& bad) {
  if (member.method == 0) {
    if (member.packed != member.size) bad("stored METADATA has two sizes");
    return std::string(packed);
  }
  if (member.method != 8) bad("METADATA is compressed by an unknown method");
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> engine(
      libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  std::string out(member.size, '\0');
  // Without a place for the actual size anything but exactly `member.size` bytes is a failure.
  if (libdeflate_deflate_decompress(engine.get(), packed.data(), packed.size(), out.data(), out.size(), nullptr) !=
      LIBDEFLATE_SUCCESS) {
    bad("METADATA cannot be decompressed");
  }
  return out;
}

}  // namespace

std::string wheel_metadata_from_tail(const ZipTail& tail, const ReadAt& read, std::string_view archive_name) {
  const Bad bad{archive_name};
  if (tail.bytes.size() > tail.archive_bytes) bad("not a zip archive: impossible size");
  const Directory directory = find_directory(tail, bad);
  const Member member = find_metadata(piece(tail, read, directory.offset, directory.size), directory.entries, bad);
  if (member.size > kMaxMetadataBytes || member.packed > kMaxMetadataBytes) bad("METADATA is too large");
  // The local header's extra field may differ from the directory's, so its length is only known once it is read;
  // asking for a little more than it usually takes saves a request.
  constexpr uint64_t kExtraGuess = 256;
  const uint64_t wanted = kLocalSize + member.name.size() + kExtraGuess + member.packed;
  if (member.offset >= directory.offset || directory.offset - member.offset < kLocalSize) bad("broken zip member");
  std::string bytes = piece(tail, read, member.offset, std::min(wanted, directory.offset - member.offset));
  if (bytes.size() < kLocalSize || bytes.compare(0, 4, "PK\3\4", 4) != 0) bad("broken zip member");
  const uint64_t data_at = kLocalSize + u16(bytes, 26) + uint64_t{u16(bytes, 28)};
  if (member.offset + data_at + member.packed > directory.offset) bad("broken zip member");
  if (bytes.compare(kLocalSize, member.name.size(), member.name) != 0 || u16(bytes, 26) != member.name.size() ||
      u16(bytes, 8) != member.method) {
    bad("zip member and directory disagree");
  }
  if (bytes.size() < data_at + member.packed) bytes = piece(tail, read, member.offset, data_at + member.packed);
  std::string text = inflate(member, std::string_view(bytes).substr(data_at, member.packed), bad);
  if (libdeflate_crc32(0, text.data(), text.size()) != member.crc) bad("METADATA has a wrong checksum");
  return text;
}

}  // namespace dae::resolver
