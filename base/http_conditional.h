#pragma once
// Conditional and range requests as pure functions (RFC 9110 sections 13 and 14).
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/http.h"

namespace dae {

struct Validators {
  std::string_view etag;          // without quotes, strong; "" none
  int64_t last_modified_ms = -1;  // -1 none
};

// The client's copy is current: answer 304. For GET and HEAD whose answer would be a 200.
bool is_not_modified(const Headers& request, const Validators& validators);

struct ByteRange {
  uint64_t offset = 0, length = 0;
};
enum class RangeAnswer { whole, part, unsatisfiable };
// What Range and If-Range ask of `size_bytes` bytes. Several ranges at once, and anything malformed, get the whole.
RangeAnswer pick_range(const Headers& request, const Validators& validators, uint64_t size_bytes, ByteRange* range);

}  // namespace dae
