#include "base/inflate.h"

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

#include <algorithm>
#include <new>

namespace dae {
namespace {

constexpr const char* kDamaged = "is damaged: what it holds is no deflate stream";
constexpr const char* kShort = "unpacks to less than it says";
constexpr const char* kLong = "unpacks to more than it says";
constexpr const char* kTrailing = "has bytes behind its end";

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

// ISA-L: 915 MB/s of shared libraries' code where zlib makes 427, and libdeflate, which wants all of it in memory, 827.
const char* inflate_stream(const std::function<std::string_view()>& next, uint64_t bytes, char* room, size_t room_bytes,
                           const std::function<void(std::string_view piece)>& take) {
  const auto state = std::make_unique<inflate_state>();  // 90 KB
  isal_inflate_init(state.get());
  state->crc_flag = ISAL_DEFLATE;
  uint64_t left = bytes;
  bool dry = false;  // all input given; some of it may still be in the state
  const auto at_end = [&] { return state->block_state == ISAL_BLOCK_FINISH; };
  while (!at_end()) {
    // One byte more than is left: a stream that goes on is told from one that ends here.
    const size_t most = static_cast<size_t>(std::min<uint64_t>(left, room_bytes - 1)) + 1;
    state->next_out = reinterpret_cast<uint8_t*>(room);
    state->avail_out = static_cast<uint32_t>(most);
    while (state->avail_out > 0 && !at_end()) {
      if (state->avail_in == 0 && !dry) {
        const std::string_view packed = next();
        dry = packed.empty();
        state->next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(packed.data()));
        state->avail_in = static_cast<uint32_t>(packed.size());
      }
      const uint32_t room_before = state->avail_out, packed_before = state->avail_in;
      const int answer = isal_inflate(state.get());
      // No step forward: it ends in the middle.
      const bool stuck = state->avail_out == room_before && state->avail_in == packed_before && !at_end();
      if (answer < 0 || stuck) return kDamaged;
    }
    const size_t got = most - state->avail_out;
    if (got > left) return kLong;
    left -= got;
    if (got > 0) take({room, got});
  }
  if (left != 0) return kShort;
  const bool all_used = state->avail_in == 0 && state->read_in_length < 8;
  return all_used && (dry || next().empty()) ? "" : kTrailing;
}

}  // namespace dae
