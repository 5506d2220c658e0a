#pragma once
// The framing of a .tar.gz, checked so that no two readers see two different archives in it: one gzip member and
// nothing behind (RFC 1952), headers with right checksums, an end, and zeros behind the end (POSIX ustar and pax).
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/fs.h"

namespace dae::mirror {

struct TarLimits {
  uint64_t unpacked_bytes = 2ull << 30;
  uint64_t ratio = 50;  // unpacked / packed, once over 64 MiB unpacked
  uint64_t members = 100'000;
};

// Throws Error bad_input with `subject`. What the members are is not judged: read_archive() of base does that.
void check_tar_gz(const Path& file, const std::string& subject, const TarLimits& limits = {});

// The same of the bytes inside, piece by piece.
class TarFraming {
 public:
  TarFraming(const std::string& subject, const TarLimits& limits) : subject_(subject), limits_(limits) {}
  void feed(std::string_view bytes);
  void finish();

 private:
  void take_block(std::string_view block);
  void take_header(std::string_view block);
  void take_pax(std::string_view records);
  [[noreturn]] void refuse(const std::string& message) const;

  const std::string& subject_;
  const TarLimits& limits_;
  std::string block_;         // an unfinished one
  uint64_t data_left_ = 0;    // bytes of the member at hand, without padding
  uint64_t blocks_left_ = 0;  // of it, with padding
  std::string pax_;           // records for the next member
  bool in_pax_ = false;
  bool has_pax_size_ = false;
  uint64_t pax_size_ = 0;
  int zero_blocks_ = 0;
  uint64_t members_ = 0;
};

}  // namespace dae::mirror
