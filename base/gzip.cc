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

}  // namespace dae
