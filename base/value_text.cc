#include "base/value_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace dae::value_detail {

Position PositionFinder::at(size_t offset) {
  offset = std::min(offset, text_.size());
  if (offset < scanned_) {
    scanned_ = line_start_ = 0;
    line_ = 1;
  }
  const std::string_view before = text_.substr(0, offset);
  for (size_t newline; (newline = before.find('\n', scanned_)) != std::string_view::npos; ++line_) {
    scanned_ = line_start_ = newline + 1;
  }
  scanned_ = offset;
  return {line_, static_cast<uint32_t>(offset - line_start_ + 1)};
}

namespace {

struct Sequence {
  size_t length;
  unsigned char low, high;  // legal range of the second byte (RFC 3629 section 4)
};

std::optional<Sequence> sequence_of(unsigned char lead) {
  if (lead < 0x80) return Sequence{1, 0, 0};
  if (lead >= 0xC2 && lead <= 0xDF) return Sequence{2, 0x80, 0xBF};
  if (lead == 0xE0) return Sequence{3, 0xA0, 0xBF};
  if (lead == 0xED) return Sequence{3, 0x80, 0x9F};
  if (lead >= 0xE1 && lead <= 0xEF) return Sequence{3, 0x80, 0xBF};
  if (lead == 0xF0) return Sequence{4, 0x90, 0xBF};
  if (lead >= 0xF1 && lead <= 0xF3) return Sequence{4, 0x80, 0xBF};
  if (lead == 0xF4) return Sequence{4, 0x80, 0x8F};
  return std::nullopt;
}

}  // namespace

std::optional<size_t> first_invalid_utf8(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const auto sequence = sequence_of(static_cast<unsigned char>(text[at]));
    if (!sequence || at + sequence->length > text.size()) return at;
    for (size_t i = 1; i < sequence->length; ++i) {
      const auto byte = static_cast<unsigned char>(text[at + i]);
      const unsigned char low = i == 1 ? sequence->low : 0x80;
      const unsigned char high = i == 1 ? sequence->high : 0xBF;
      if (byte < low || byte > high) return at;
    }
    at += sequence->length;
  }
  return std::nullopt;
}

Error error_at(const std::string& name, Position position, std::string message, std::string hint) {
  std::string subject = name;
  if (position.line != 0) {
    const std::string place = fmt::format("{}:{}", position.line, position.column);
    subject = name.empty() ? place : name + ":" + place;
  }
  return Error(ErrorKind::bad_input, std::move(message), std::move(subject), std::move(hint));
}

void require_utf8(std::string_view text, const std::string& name) {
  const auto bad = first_invalid_utf8(text);
  if (bad) throw error_at(name, PositionFinder(text).at(*bad), "invalid UTF-8");
}

void refuse_duplicate_keys(const Value::Object& members, const std::string& name) {
  std::vector<size_t> order(members.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const int compared = members[a].first.compare(members[b].first);
    return compared != 0 ? compared < 0 : a < b;
  });
  size_t second = members.size();  // the earliest repetition in the file
  size_t first = 0;
  for (size_t i = 1; i < order.size(); ++i) {
    if (members[order[i]].first == members[order[i - 1]].first && order[i] < second) {
      second = order[i];
      first = order[i - 1];
    }
  }
  if (second == members.size()) return;
  throw error_at(name, members[second].second.key_position, fmt::format("duplicate key `{}`", members[second].first),
                 fmt::format("the first one is in line {}", members[first].second.key_position.line));
}

}  // namespace dae::value_detail
