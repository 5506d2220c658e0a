#pragma once
// Digests that others name files by and that we only compare: MD5 (RFC 1321) and BLAKE2b with 256 bits (RFC 7693).
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace dae {

// Says nothing against somebody who wants two files with one digest.
class Md5 {
 public:
  Md5();
  ~Md5();
  Md5(Md5&&) noexcept;
  Md5& operator=(Md5&&) noexcept;
  void update(std::string_view bytes);
  std::string finish_bytes();  // 16 raw bytes; once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Blake2b256 {
 public:
  Blake2b256();
  void update(std::string_view bytes);
  std::string finish_bytes();  // 32 raw bytes; once

 private:
  void compress(const char* block, bool last);

  std::array<uint64_t, 8> state_;
  std::array<char, 128> buffer_{};
  size_t held_ = 0;     // of the buffer
  uint64_t total_ = 0;  // compressed; 2^64 bytes are more than any file here
};

}  // namespace dae
