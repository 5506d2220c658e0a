#pragma once
// Reads one member of a zip archive of which only pieces are at hand: the end-of-central-directory record, the central
// directory and the member itself (APPNOTE 6.3 sections 4.3.6, 4.3.7, 4.3.12, 4.3.16). Everything read is hostile:
// offsets and sizes are checked before use, the checksum after it.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace dae::resolver {

// The bytes [offset, offset + size) of the archive; exactly as many, or it throws.
using ReadAt = std::function<std::string(uint64_t offset, uint64_t size)>;

struct ZipTail {
  std::string bytes;           // the last bytes of the archive
  uint64_t archive_bytes = 0;  // size of the whole
};

// METADATA of the wheel's one `*.dist-info` directory at the top. Throws Error bad_input (subject = `archive_name`).
std::string wheel_metadata_from_tail(const ZipTail& tail, const ReadAt& read, std::string_view archive_name);

}  // namespace dae::resolver
