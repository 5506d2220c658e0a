#pragma once
// What the three readers share: limits, positions by offset, UTF-8, duplicate keys. Private to base/value_*.cc.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/value.h"

namespace dae::value_detail {

// Deeper documents are attacks or accidents, and our readers and writers are recursive.
inline constexpr int kMaxDepth = 200;

// Turns offsets into positions. Cheap when asked in ascending order (a reader goes forward); correct in any order.
class PositionFinder {
 public:
  explicit PositionFinder(std::string_view text) : text_(text) {}
  Position at(size_t offset);

 private:
  std::string_view text_;
  size_t scanned_ = 0;  // no newline between line_start_ and here: a page may be one line of 40 MB
  size_t line_start_ = 0;
  uint32_t line_ = 1;
};

// Offset of the first byte that is no part of well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
std::optional<size_t> first_invalid_utf8(std::string_view text);

// bad_input with "name:line:column" as the subject (the bare name when the position is unknown).
Error error_at(const std::string& name, Position position, std::string message, std::string hint = "");

void require_utf8(std::string_view text, const std::string& name);
// Throws at the second of two equal keys.
void refuse_duplicate_keys(const Value::Object& members, const std::string& name);

}  // namespace dae::value_detail
