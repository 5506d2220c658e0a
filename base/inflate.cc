#include "base/inflate.h"

#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <new>

namespace dae {
namespace {

constexpr const char* kDamaged = "is damaged: what it holds is no deflate stream";
constexpr const char* kShort = "unpacks to less than it says";
constexpr const char* kLong = "unpacks to more than it says";
constexpr const char* kTrailing = "has bytes behind its end";

struct ZlibStream {
  ZlibStream() {
    if (inflateInit2(&state, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
  }
  ~ZlibStream() { inflateEnd(&state); }
  ZlibStream(const ZlibStream&) = delete;
  ZlibStream& operator=(const ZlibStream&) = delete;
  z_stream state = {};
};

}  // namespace

uint32_t crc32_of(uint32_t crc, std::string_view bytes) {
  return libdeflate_crc32(crc, bytes.data(), bytes.size());
}

struct Inflater::Engine {
  libdeflate_decompressor* decompressor = libdeflate_alloc_decompressor();
};

Inflater::Inflater() : engine_(std::make_unique<Engine>()) {
  if (!engine_->decompressor) throw std::bad_alloc();
}

Inflater::~Inflater() {
  libdeflate_free_decompressor(engine_->decompressor);
}

const char* Inflater::inflate(std::string_view packed, char* to, size_t bytes) {
  size_t used = 0;
  // Without a place for the number of bytes written it insists on exactly `bytes`.
  switch (libdeflate_deflate_decompress_ex(engine_->decompressor, packed.data(), packed.size(), to, bytes, &used,
                                           nullptr)) {
    case LIBDEFLATE_SUCCESS:
      return used == packed.size() ? "" : kTrailing;
    case LIBDEFLATE_SHORT_OUTPUT:
      return kShort;
    case LIBDEFLATE_INSUFFICIENT_SPACE:
      return kLong;
    default:
      return kDamaged;
  }
}

const char* inflate_stream(const std::function<std::string_view()>& next, uint64_t bytes, char* room, size_t room_bytes,
                           const std::function<void(std::string_view piece)>& take) {
  ZlibStream stream;
  z_stream& state = stream.state;
  uint64_t left = bytes;
  bool dry = false;  // all input given; zlib may still hold some of it
  int answer = Z_OK;
  while (answer != Z_STREAM_END) {
    // One byte more than is left: a stream that goes on is told from one that ends here.
    const size_t most = static_cast<size_t>(std::min<uint64_t>(left, room_bytes - 1)) + 1;
    state.next_out = reinterpret_cast<Bytef*>(room);
    state.avail_out = static_cast<uInt>(most);
    while (state.avail_out > 0 && answer != Z_STREAM_END) {
      if (state.avail_in == 0 && !dry) {
        const std::string_view packed = next();
        dry = packed.empty();
        state.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
        state.avail_in = static_cast<uInt>(packed.size());
      }
      answer = ::inflate(&state, Z_NO_FLUSH);
      if (answer == Z_MEM_ERROR) throw std::bad_alloc();
      if (answer != Z_OK && answer != Z_STREAM_END) return kDamaged;  // Z_BUF_ERROR: it ends in the middle
    }
    const size_t got = most - state.avail_out;
    if (got > left) return kLong;
    left -= got;
    if (got > 0) take({room, got});
  }
  if (left != 0) return kShort;
  return state.avail_in == 0 && (dry || next().empty()) ? "" : kTrailing;
}

}  // namespace dae
