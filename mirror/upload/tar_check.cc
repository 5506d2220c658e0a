#include "mirror/upload/tar_check.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/inflate.h"
#include "base/strings.h"
#include "mirror/upload/pieces.h"

namespace dae::mirror {
namespace {

constexpr size_t kBlock = 512;
constexpr uint64_t kRatioFrom = 64ull << 20;
constexpr size_t kMaxPaxBytes = 1u << 20;
constexpr uint64_t kMaxHeadBytes = 64u << 10;  // of gzip: names and comments

[[noreturn]] void refuse_gzip(const std::string& message, const std::string& subject) {
  throw Error(ErrorKind::bad_input, message, subject);
}

uint32_t little_endian(std::string_view bytes) {
  uint32_t out = 0;
  for (size_t i = 0; i < 4; ++i) out |= uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return out;
}

std::string read_range(const Path& file, uint64_t offset, uint64_t bytes) {
  PieceReader reader(file, offset, bytes);
  std::string out;
  for (std::string_view piece = reader.next(); !piece.empty(); piece = reader.next()) out += piece;
  return out;
}

// Where the deflate stream begins (RFC 1952 section 2.3).
size_t gzip_head_bytes(std::string_view head, const std::string& subject) {
  if (head.size() < 10 || !head.starts_with("\x1f\x8b\x08")) refuse_gzip("not a gzip file", subject);
  const auto flags = static_cast<unsigned char>(head[3]);
  if ((flags & 0xe0) != 0) refuse_gzip("a gzip file with flags that are not known", subject);
  size_t at = 10;
  const auto need = [&](size_t bytes) {
    if (bytes > head.size() - at) refuse_gzip("the header of the gzip file does not end", subject);
  };
  if ((flags & 4) != 0) {
    need(2);
    const size_t extra =
        static_cast<unsigned char>(head[at]) | static_cast<size_t>(static_cast<unsigned char>(head[at + 1])) << 8;
    at += 2;
    need(extra);
    at += extra;
  }
  for (const unsigned flag : {8u, 16u}) {  // name, comment: to a zero byte
    if ((flags & flag) == 0) continue;
    const size_t zero = head.find('\0', at);
    if (zero == std::string_view::npos) refuse_gzip("the header of the gzip file does not end", subject);
    at = zero + 1;
  }
  if ((flags & 2) != 0) {
    need(2);
    at += 2;
  }
  return at;
}

// Octal with blanks or zeros around, or 0x80 and a big-endian number (GNU). nullopt: neither.
std::optional<uint64_t> parse_number(std::string_view field) {
  if (static_cast<unsigned char>(field.front()) == 0x80) {
    uint64_t out = 0;
    for (const char c : field.substr(1)) {
      if (out >> 55 != 0) return std::nullopt;
      out = out << 8 | static_cast<unsigned char>(c);
    }
    return out;
  }
  const size_t from = std::min(field.find_first_not_of(' '), field.size());
  const size_t to = std::min(field.find_first_of(std::string_view(" \0", 2), from), field.size());
  if (field.find_first_not_of(std::string_view(" \0", 2), to) != std::string_view::npos) return std::nullopt;
  uint64_t out = 0;
  for (const char c : field.substr(from, to - from)) {
    if (c < '0' || c > '7') return std::nullopt;
    out = out << 3 | static_cast<uint64_t>(c - '0');
  }
  return out;
}

bool is_zero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

// Unsigned sum of the header with blanks for the sum itself.
bool has_right_checksum(std::string_view block) {
  uint64_t sum = 8 * ' ';
  for (size_t i = 0; i < kBlock; ++i) sum += i >= 148 && i < 156 ? 0 : static_cast<unsigned char>(block[i]);
  return parse_number(block.substr(148, 8)) == sum;
}

}  // namespace

void TarFraming::refuse(const std::string& message) const {
  throw Error(ErrorKind::bad_input, message, subject_);
}

void TarFraming::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (block_.empty() && bytes.size() >= kBlock) {
      take_block(bytes.substr(0, kBlock));
      bytes.remove_prefix(kBlock);
      continue;
    }
    const size_t some = std::min(bytes.size(), kBlock - block_.size());
    block_.append(bytes.substr(0, some));
    bytes.remove_prefix(some);
    if (block_.size() < kBlock) continue;
    take_block(block_);
    block_.clear();
  }
}

void TarFraming::take_block(std::string_view block) {
  if (blocks_left_ > 0) {
    const size_t some = static_cast<size_t>(std::min<uint64_t>(data_left_, kBlock));
    if (in_pax_) pax_.append(block.substr(0, some));
    data_left_ -= some;
    if (--blocks_left_ > 0 || !in_pax_) return;
    in_pax_ = false;
    take_pax(pax_);
    return;
  }
  if (is_zero(block)) {
    if (has_pax_size_) refuse("the tar ends after a header that belongs to a member");
    ++zero_blocks_;
    return;
  }
  // One zero block is no end for some readers, and the end for others.
  if (zero_blocks_ > 0) refuse("bytes after the end of the tar");
  take_header(block);
}

void TarFraming::take_header(std::string_view block) {
  if (!has_right_checksum(block)) refuse("a header of the tar is damaged");
  if (++members_ > limits_.members) refuse("the tar has more than " + std::to_string(limits_.members) + " members");
  const char type = block[156];
  const auto size = parse_number(block.substr(124, 12));
  if (!size || *size > limits_.unpacked_bytes) refuse("a member of the tar has no usable size");
  if (std::string_view("SMVDN").find(type) != std::string_view::npos) {
    refuse("the tar has sparse files or several volumes");
  }
  in_pax_ = type == 'x' || type == 'g';
  uint64_t bytes = *size;
  if (in_pax_) {
    if (bytes > kMaxPaxBytes) refuse("a pax header of the tar is too large");
    pax_.clear();
  } else if (type != 'L' && type != 'K') {  // GNU's long names stand between the two
    if (has_pax_size_) bytes = pax_size_;
    has_pax_size_ = false;
    // Directories, links and devices have no bytes whatever the field says; readers differ where it says more.
    if (type >= '1' && type <= '6' && bytes != 0) refuse("a member of the tar that has no bytes has a size");
  } else if (bytes > kMaxPaxBytes) {
    refuse("a name in the tar is too long");
  }
  data_left_ = bytes;
  blocks_left_ = (bytes + kBlock - 1) / kBlock;
}

// "<length> <key>=<value>\n", the length that of the whole record (POSIX pax).
void TarFraming::take_pax(std::string_view records) {
  while (!records.empty()) {
    const size_t blank = records.find(' ');
    const auto length = parse_int(records.substr(0, std::min(blank, records.size())));
    if (!length || *length < 5 || static_cast<uint64_t>(*length) > records.size() || blank > 8 ||
        records[static_cast<size_t>(*length) - 1] != '\n' || blank + 1 >= static_cast<size_t>(*length)) {
      refuse("a pax header of the tar is damaged");
    }
    const std::string_view record = records.substr(blank + 1, static_cast<size_t>(*length) - blank - 2);
    records.remove_prefix(static_cast<size_t>(*length));
    const std::string_view key = record.substr(0, record.find('='));
    if (key.size() == record.size()) refuse("a pax header of the tar is damaged");
    if (key.starts_with("GNU.sparse")) refuse("the tar has sparse files");
    if (key != "size") continue;
    const auto size = parse_int(record.substr(key.size() + 1));
    if (!size || *size < 0 || static_cast<uint64_t>(*size) > limits_.unpacked_bytes) {
      refuse("a member of the tar has no usable size");
    }
    has_pax_size_ = true;
    pax_size_ = static_cast<uint64_t>(*size);
  }
}

void TarFraming::finish() {
  if (!block_.empty() || blocks_left_ > 0 || zero_blocks_ < 2) refuse("the tar does not end as it must");
}

void check_tar_gz(const Path& file, const std::string& subject, const TarLimits& limits) {
  const uint64_t packed = file_info(file).value_or(FileInfo{}).size_bytes;
  const std::string head = read_range(file, 0, std::min(packed, kMaxHeadBytes));
  const size_t begin = gzip_head_bytes(head, subject);
  if (packed < begin + 8) refuse_gzip("the gzip file ends early", subject);
  // Of one member the last eight bytes are CRC and size: with the size asked for exactly, and the stream to end where
  // those begin, nothing fits behind it.
  const std::string tail = read_range(file, packed - 8, 8);
  const uint64_t unpacked = little_endian(std::string_view(tail).substr(4));
  if (unpacked > limits.unpacked_bytes || (unpacked > kRatioFrom && unpacked / packed >= limits.ratio)) {
    refuse_gzip("the archive unpacks to too much", subject);
  }
  PieceReader reader(file, begin, packed - 8 - begin);
  TarFraming framing(subject, limits);
  uint32_t crc = 0;
  std::string room(256u << 10, '\0');
  const std::string_view wrong = inflate_stream([&] { return reader.next(); }, unpacked, room.data(), room.size(),
                                                [&](std::string_view piece) {
                                                  crc = crc32_of(crc, piece);
                                                  framing.feed(piece);
                                                });
  if (!wrong.empty()) {
    refuse_gzip("the gzip file is not one whole member: it " + std::string(wrong), subject);
  }
  if (crc != little_endian(tail)) refuse_gzip("the gzip file is damaged", subject);
  framing.finish();
}

}  // namespace dae::mirror
