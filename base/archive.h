#pragma once
// Archives, reading with suspicion and writing reproducibly (libarchive behind it).
// Reading refuses (Error bad_input with the archive as subject): absolute or escaping names, links out of the tree,
// devices, duplicate or case-colliding names, more than the limits below.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"

namespace dae {

struct ArchiveLimits {
  uint64_t total_bytes = 8ull << 30;
  uint64_t entry_bytes = 4ull << 30;
  uint64_t entries = 200'000;
  uint64_t ratio = 1000;              // unpacked / packed, once over 64 MiB unpacked
  bool drop_leading_slashes = false;  // of names, as PEP 721 has it; else they are refused
};

struct ArchiveEntry {
  std::string name;  // '/' separated, relative, no trailing slash
  bool is_dir = false;
  bool executable = false;
  std::string link_target;  // symbolic link when not empty
  uint64_t size_bytes = 0;
};

// Calls `visit` for each entry in order; `read` gives the bytes piece by piece and may be left uncalled.
using ArchiveRead = std::function<void(const std::function<void(std::string_view)>& piece)>;
void read_archive(const Path& file, const ArchiveLimits& limits,
                  const std::function<void(const ArchiveEntry&, const ArchiveRead& read)>& visit);
// All files below `destination` (must exist), 0644/0755, directories 0755. `strip`: leading components dropped.
void unpack_archive(const Path& file, const Path& destination, const ArchiveLimits& limits = {}, int strip = 0);
// One member of a zip or tar; throws not_found.
std::string read_archive_member(const Path& file, std::string_view name, uint64_t limit_bytes = 16ull << 20);
// Names of all members, safe or not checked for links (for looking up METADATA and RECORD).
std::vector<ArchiveEntry> list_archive(const Path& file, const ArchiveLimits& limits = {});

struct TarEntry {
  std::string name;
  Path source;  // a file; or empty with `bytes`
  std::string bytes;
  bool executable = false;
  std::string link_target;
};
struct TarResult {
  std::string tar_sha256;  // hex, of the uncompressed tar: the identity (compression is only transport)
  uint64_t tar_size_bytes = 0;
  std::string zst_sha256;  // hex, of the file written
  uint64_t zst_size_bytes = 0;
};
// Sorted bytewise, uid/gid 0 without names, 0644/0755, one mtime, ustar with pax only for long names; zstd level 3,
// single thread: the same input gives the same bytes everywhere. Writes `destination` (not atomically).
TarResult write_tar_zst(const Path& destination, std::vector<TarEntry> entries, int64_t mtime_s);
// The same without compression; the digest is that of the file.
TarResult write_tar(const Path& destination, std::vector<TarEntry> entries, int64_t mtime_s);

}  // namespace dae
