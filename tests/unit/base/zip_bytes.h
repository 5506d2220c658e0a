#pragma once
// ZIP archives byte by byte: every field of every header can be made to say something else than the truth.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dae::zip_bytes {

struct Member {
  std::string name, bytes;
  uint16_t method = 8;
  uint16_t flags = 0;
  uint32_t attributes = 0100644u << 16;
  std::string extra = "", local_extra = "";
  int descriptor_bytes = 0;     // 12, 16, 20 or 24; sets flag 3, the local header's numbers are 0 then
  std::string packed = "";      // instead of the compressor's
  std::string behind = "";      // between this member and the next
  bool sizes_in_zip64 = false;  // in both headers
  std::optional<std::string> local_name = {};
  std::optional<uint16_t> local_flags = {}, local_method = {};
  std::optional<uint32_t> crc = {}, local_crc = {}, local_packed = {}, local_size = {}, packed_size = {}, size = {};
  std::optional<uint32_t> descriptor_crc = {};
  std::optional<uint64_t> header_at = {};
  bool only_local = false;  // left out of the directory
};

struct Zip {
  std::vector<Member> members;
  std::string before = "", comment = "", after = "";
  std::string in_front_of_end = "";  // behind the directory
  bool zip64 = false;                // end record
  std::optional<uint64_t> entries = {}, directory_at = {}, directory_bytes = {};
  std::optional<uint64_t> entries64 = {}, directory_at64 = {};
  uint16_t disk = 0;
};

std::string make(const Zip& zip);
std::string put(uint64_t value, int bytes);
std::string field(uint16_t id, const std::string& bytes);  // an extra field
std::string deflate(const std::string& bytes);
uint32_t crc_of(const std::string& bytes);

}  // namespace dae::zip_bytes
