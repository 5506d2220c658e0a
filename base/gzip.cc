#include "base/gzip.h"

#include <libdeflate.h>

#include <memory>
#include <new>

#include "base/error.h"

namespace dae {

namespace {

constexpr int kLevel = 6;

}  // namespace

std::string gzip(std::string_view bytes) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(kLevel), libdeflate_free_compressor);
  if (!compressor) throw std::bad_alloc();
  std::string packed(libdeflate_gzip_compress_bound(compressor.get(), bytes.size()), '\0');
  const size_t size =
      libdeflate_gzip_compress(compressor.get(), bytes.data(), bytes.size(), packed.data(), packed.size());
  DAE_CHECK(size > 0);
  packed.resize(size);
  packed.shrink_to_fit();
  return packed;
}

std::string gunzip(std::string_view packed, size_t limit_bytes) {
  const auto refuse = [](const char* what) { throw Error(ErrorKind::bad_input, what); };
  if (packed.size() < 18) refuse("no gzip member");
  uint32_t size = 0;  // ISIZE: the last four bytes, little-endian (RFC 1952 section 2.3.1)
  for (size_t i = 0; i < 4; ++i) size |= uint32_t{static_cast<unsigned char>(packed[packed.size() - 4 + i])} << (8 * i);
  if (size > limit_bytes) refuse("a gzip member that unpacks to too much");
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> decompressor(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  if (!decompressor) throw std::bad_alloc();
  std::string bytes(size, '\0');
  if (libdeflate_gzip_decompress(decompressor.get(), packed.data(), packed.size(), bytes.data(), size, nullptr) !=
      LIBDEFLATE_SUCCESS) {
    refuse("a damaged gzip member");
  }
  return bytes;
}

}  // namespace dae
