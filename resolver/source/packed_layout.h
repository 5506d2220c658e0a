#pragma once
// Offsets of a packed page, for packed_page.cc and packed_page_pack.cc.
#include <cstddef>
#include <cstdint>

namespace dae::resolver::packed {

// "dPg" and the version; a page of another one is not opened.
inline constexpr uint32_t kPageMagic = 0x02675064;

// Header: magic, hot bytes, cold bytes, releases, files, tag sets, requires-pythons, build tags, texts, unreadable
// files; 32 bits each.
inline constexpr size_t kHeaderBytes = 40;
// Release: version key 64 (0: a text), first file 32, text of the version 32, begin of its cold block 32, its sum 32.
inline constexpr size_t kReleaseBytes = 24;
// File: upload second 32, its millisecond 16, tag set 16, requires-python 16, build tag 16, flags 8, unused 24.
inline constexpr size_t kFileBytes = 16;
inline constexpr uint32_t kNoSecond = 0xffffffff;
inline constexpr uint32_t kMaxTableEntries = 0xffff;

enum FileFlags : uint8_t { kWheel = 1, kYanked = 2, kHasMetadata = 4, kTarGz = 8 };
// Of a record in the cold part.
enum RecordFlags : uint8_t {
  kHasDigest = 1,
  kHasSize = 2,
  kHasMetadataDigest = 4,
  kUrlEndsInName = 8,
  kUrlHasPrefix = 16
};

}  // namespace dae::resolver::packed
