#include "zip_bytes.h"

#include <libdeflate.h>

#include <memory>

namespace dae::zip_bytes {

std::string put(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>((value >> (8 * i)) & 0xff);
  return out;
}

std::string field(uint16_t id, const std::string& bytes) {
  return put(id, 2) + put(bytes.size(), 2) + bytes;
}

std::string deflate(const std::string& bytes) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> engine(
      libdeflate_alloc_compressor(6), &libdeflate_free_compressor);
  std::string out(libdeflate_deflate_compress_bound(engine.get(), bytes.size()), '\0');
  out.resize(libdeflate_deflate_compress(engine.get(), bytes.data(), bytes.size(), out.data(), out.size()));
  return out;
}

uint32_t crc_of(const std::string& bytes) {
  return libdeflate_crc32(0, bytes.data(), bytes.size());
}

namespace {

struct Written {
  std::string local, directory;
};

Written write(const Member& member, uint64_t at) {
  const std::string packed = !member.packed.empty() ? member.packed
                             : member.method == 8   ? deflate(member.bytes)
                                                    : member.bytes;
  const uint32_t crc = member.crc.value_or(crc_of(member.bytes));
  const uint64_t packed_size = member.packed_size.value_or(static_cast<uint32_t>(packed.size()));
  const uint64_t size = member.size.value_or(static_cast<uint32_t>(member.bytes.size()));
  const auto flags = static_cast<uint16_t>(member.flags | (member.descriptor_bytes != 0 ? 8 : 0));
  const bool later = member.descriptor_bytes != 0, wide = member.sizes_in_zip64;
  std::string zip64;
  if (wide) zip64 = field(1, put(later ? 0 : size, 8) + put(later ? 0 : packed_size, 8));

  const auto header = [&](uint16_t its_flags, uint16_t method, uint32_t its_crc, uint64_t its_packed,
                          uint64_t its_size) {
    return put(its_flags, 2) + put(method, 2) + put(0x5a210000, 4) + put(its_crc, 4) +
           put(wide ? 0xffffffff : its_packed, 4) + put(wide ? 0xffffffff : its_size, 4);
  };
  Written out;
  const std::string local_name = member.local_name.value_or(member.name);
  const std::string local_extra = zip64 + member.local_extra;
  out.local = "PK\3\4" + put(20, 2) +
              header(member.local_flags.value_or(flags), member.local_method.value_or(member.method),
                     member.local_crc.value_or(later ? 0 : crc),
                     member.local_packed.value_or(later ? 0 : static_cast<uint32_t>(packed_size)),
                     member.local_size.value_or(later ? 0 : static_cast<uint32_t>(size))) +
              put(local_name.size(), 2) + put(local_extra.size(), 2) + local_name + local_extra + packed;
  if (later) {
    if (member.descriptor_bytes == 16 || member.descriptor_bytes == 24) out.local += "PK\7\x08";
    const int width = member.descriptor_bytes >= 20 ? 8 : 4;
    out.local += put(member.descriptor_crc.value_or(crc), 4) + put(packed_size, width) + put(size, width);
  }
  out.local += member.behind;
  const std::string extra = (wide ? field(1, put(size, 8) + put(packed_size, 8)) : "") + member.extra;
  out.directory = "PK\1\2" + put(0x0314, 2) + put(20, 2) + header(flags, member.method, crc, packed_size, size) +
                  put(member.name.size(), 2) + put(extra.size(), 2) + put(0, 6) + put(member.attributes, 4) +
                  put(member.header_at.value_or(at), 4) + member.name + extra;
  return out;
}

}  // namespace

std::string make(const Zip& zip) {
  std::string out = zip.before, directory;
  uint64_t entries = 0;
  for (const Member& member : zip.members) {
    const Written written = write(member, out.size());
    out += written.local;
    if (member.only_local) continue;
    directory += written.directory;
    ++entries;
  }
  const uint64_t at = zip.directory_at.value_or(out.size());
  const uint64_t bytes = zip.directory_bytes.value_or(directory.size());
  const uint64_t count = zip.entries.value_or(entries);
  out += directory + zip.in_front_of_end;
  if (zip.zip64) {
    const uint64_t here = out.size(), count64 = zip.entries64.value_or(entries);
    out += "PK\6\6" + put(44, 8) + put(45, 2) + put(45, 2) + put(0, 8) + put(count64, 8) + put(count64, 8) +
           put(directory.size(), 8) + put(zip.directory_at64.value_or(at), 8);
    out += "PK\6\7" + put(0, 4) + put(here, 8) + put(1, 4);
  }
  out += "PK\5\6" + put(zip.disk, 2) + put(0, 2) + put(count, 2) + put(count, 2) + put(bytes, 4) + put(at, 4) +
         put(zip.comment.size(), 2) + zip.comment + zip.after;
  return out;
}

}  // namespace dae::zip_bytes
