#pragma once
// Deflate streams (RFC 1951) without a header around them, as ZIP archives hold them.
// What is refused comes back as a sentence's end ("unpacks to more than it says"), empty when all is well.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

namespace dae {

uint32_t crc32_of(uint32_t crc, std::string_view bytes);  // 0 to begin with

// Whole streams, in memory. Not for several threads at once; making one costs more than a small stream.
class Inflater {
 public:
  Inflater();
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  // `packed` must be one stream to its last byte and unpack to exactly `bytes` bytes.
  const char* inflate(std::string_view packed, char* to, size_t bytes);

 private:
  struct Engine;
  std::unique_ptr<Engine> engine_;
};

// A stream of any length: `next` gives pieces of it (empty at the end), `take` gets what is in them, in pieces of at
// most `room_bytes` (at `room`). Never more than `bytes` in all.
const char* inflate_stream(const std::function<std::string_view()>& next, uint64_t bytes, char* room, size_t room_bytes,
                           const std::function<void(std::string_view piece)>& take);

}  // namespace dae
