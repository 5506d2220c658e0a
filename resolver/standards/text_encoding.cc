#include "resolver/standards/text_encoding.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/strings.h"

namespace dae::resolver {
namespace {

constexpr uint32_t kNone = 0;  // a byte without a character in cp1252

// 0x80 to 0x9f of Windows-1252; the rest is Latin-1.
constexpr std::array<uint32_t, 32> kCp1252 = {0x20ac, kNone,  0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
                                              0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, kNone,  0x017d, kNone,
                                              kNone,  0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                              0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, kNone,  0x017e, 0x0178};

bool is_surrogate(uint32_t code) {
  return code >= 0xd800 && code <= 0xdfff;
}

// One character at `at`; its length is added to `at`. nullopt when it is malformed (RFC 3629: no overlong forms, no
// surrogates, nothing above U+10FFFF).
std::optional<uint32_t> next_utf8(std::string_view text, size_t& at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) {
    ++at;
    return first;
  }
  const size_t size = first >= 0xf0 ? 4 : (first >= 0xe0 ? 3 : 2);
  static constexpr std::array<uint32_t, 5> smallest = {0, 0, 0x80, 0x800, 0x10000};
  if (first < 0xc2 || first > 0xf4 || text.size() - at < size) return std::nullopt;
  uint32_t code = first & (0x7fU >> size);
  for (size_t i = 1; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(text[at + i]);
    if ((byte & 0xc0) != 0x80) return std::nullopt;
    code = (code << 6) | (byte & 0x3f);
  }
  if (code < smallest[size] || is_surrogate(code) || code > 0x10ffff) return std::nullopt;
  at += size;
  return code;
}

struct Units {
  size_t bytes = 2;
  bool big = false;

  uint32_t read(std::string_view text, size_t at) const {
    uint32_t unit = 0;
    for (size_t i = 0; i < bytes; ++i) {
      unit = (unit << 8) | static_cast<unsigned char>(text[at + (big ? i : bytes - 1 - i)]);
    }
    return unit;
  }
  void write(std::string& out, uint32_t unit) const {
    for (size_t i = 0; i < bytes; ++i) {
      out += static_cast<char>(static_cast<unsigned char>(unit >> (8 * (big ? bytes - 1 - i : i))));
    }
  }
};

std::optional<Units> units_of(Encoding encoding) {
  switch (encoding) {
    case Encoding::utf16_le:
      return Units{2, false};
    case Encoding::utf16_be:
      return Units{2, true};
    case Encoding::utf32_le:
      return Units{4, false};
    case Encoding::utf32_be:
      return Units{4, true};
    default:
      return std::nullopt;
  }
}

std::optional<std::string> decode_units(std::string_view bytes, const Units& units, size_t& bad_at) {
  std::string out;
  for (bad_at = 0; bad_at < bytes.size();) {
    if (bytes.size() - bad_at < units.bytes) return std::nullopt;
    uint32_t code = units.read(bytes, bad_at);
    size_t size = units.bytes;
    if (units.bytes == 2 && is_surrogate(code)) {
      if (code >= 0xdc00 || bytes.size() - bad_at < 4) return std::nullopt;
      const uint32_t low = units.read(bytes, bad_at + 2);
      if (low < 0xdc00 || low > 0xdfff) return std::nullopt;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      size = 4;
    } else if (is_surrogate(code) || code > 0x10ffff) {
      return std::nullopt;
    }
    append_utf8(out, code);
    bad_at += size;
  }
  return out;
}

// The character of a byte, or nullopt.
std::optional<uint32_t> decode_byte(unsigned char byte, Encoding encoding) {
  if (byte < 0x80) return byte;
  if (encoding == Encoding::ascii) return std::nullopt;
  if (encoding == Encoding::latin1 || byte >= 0xa0) return byte;
  const uint32_t code = kCp1252[byte - 0x80];
  return code == kNone ? std::nullopt : std::optional(code);
}

std::optional<unsigned char> encode_byte(uint32_t code, Encoding encoding) {
  for (uint32_t byte = code < 0x100 ? code : 0x80; byte < 0x100; ++byte) {
    if (decode_byte(static_cast<unsigned char>(byte), encoding) == code) return static_cast<unsigned char>(byte);
    if (code < 0x80) break;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Encoding> encoding_named(std::string_view name) {
  std::string key = lower(name);
  std::replace(key.begin(), key.end(), '_', '-');
  using Name = std::pair<std::string_view, Encoding>;
  static constexpr std::array<Name, 22> names = {
      {{"utf-8", Encoding::utf8},          {"utf8", Encoding::utf8},
       {"utf-8-sig", Encoding::utf8},      {"u8", Encoding::utf8},
       {"ascii", Encoding::ascii},         {"us-ascii", Encoding::ascii},
       {"646", Encoding::ascii},           {"latin-1", Encoding::latin1},
       {"latin1", Encoding::latin1},       {"latin", Encoding::latin1},
       {"l1", Encoding::latin1},           {"iso-8859-1", Encoding::latin1},
       {"iso8859-1", Encoding::latin1},    {"8859", Encoding::latin1},
       {"cp819", Encoding::latin1},        {"cp1252", Encoding::cp1252},
       {"windows-1252", Encoding::cp1252}, {"1252", Encoding::cp1252},
       {"utf-16-le", Encoding::utf16_le},  {"utf-16-be", Encoding::utf16_be},
       {"utf-32-le", Encoding::utf32_le},  {"utf-32-be", Encoding::utf32_be}}};
  const auto found = std::find_if(names.begin(), names.end(), [&](const Name& known) { return known.first == key; });
  return found == names.end() ? std::nullopt : std::optional(found->second);
}

std::optional<size_t> invalid_utf8_at(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t before = at;
    if (!next_utf8(text, at)) return before;
  }
  return std::nullopt;
}

std::optional<std::string> decode_text(std::string_view bytes, Encoding encoding, size_t& bad_at) {
  if (const auto units = units_of(encoding)) return decode_units(bytes, *units, bad_at);
  if (encoding == Encoding::utf8) {
    const auto invalid = invalid_utf8_at(bytes);
    bad_at = invalid.value_or(bytes.size());
    return invalid ? std::nullopt : std::optional(std::string(bytes));
  }
  std::string out;
  for (bad_at = 0; bad_at < bytes.size(); ++bad_at) {
    const auto code = decode_byte(static_cast<unsigned char>(bytes[bad_at]), encoding);
    if (!code) return std::nullopt;
    append_utf8(out, *code);
  }
  return out;
}

std::optional<std::string> encode_text(std::string_view text, Encoding encoding) {
  if (encoding == Encoding::utf8) return std::string(text);
  const auto units = units_of(encoding);
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const auto code = next_utf8(text, at);
    if (!code) return std::nullopt;
    if (!units) {
      const auto byte = encode_byte(*code, encoding);
      if (!byte) return std::nullopt;
      out += static_cast<char>(*byte);
    } else if (units->bytes == 2 && *code >= 0x10000) {
      units->write(out, 0xd800 + ((*code - 0x10000) >> 10));
      units->write(out, 0xdc00 + ((*code - 0x10000) & 0x3ff));
    } else {
      units->write(out, *code);
    }
  }
  return out;
}

std::optional<Encoding> byte_order_mark(std::string_view bytes, size_t& mark_bytes) {
  using Mark = std::pair<std::string_view, Encoding>;
  // UTF-32 before UTF-16: the one begins with the other.
  static constexpr std::array<Mark, 5> marks = {{{{"\xef\xbb\xbf", 3}, Encoding::utf8},
                                                 {{"\xff\xfe\0\0", 4}, Encoding::utf32_le},
                                                 {{"\0\0\xfe\xff", 4}, Encoding::utf32_be},
                                                 {{"\xff\xfe", 2}, Encoding::utf16_le},
                                                 {{"\xfe\xff", 2}, Encoding::utf16_be}}};
  mark_bytes = 0;
  for (const auto& [mark, encoding] : marks) {
    if (!bytes.starts_with(mark)) continue;
    mark_bytes = mark.size();
    return encoding;
  }
  return std::nullopt;
}

void append_utf8(std::string& out, uint32_t code) {
  const auto byte = [&out](uint32_t value) { out += static_cast<char>(static_cast<unsigned char>(value)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | (code >> 6));
    byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    byte(0xe0 | (code >> 12));
    byte(0x80 | ((code >> 6) & 0x3f));
    byte(0x80 | (code & 0x3f));
  } else {
    byte(0xf0 | (code >> 18));
    byte(0x80 | ((code >> 12) & 0x3f));
    byte(0x80 | ((code >> 6) & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
}

std::string latin1_to_utf8(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) append_utf8(out, static_cast<unsigned char>(c));
  return out;
}

}  // namespace dae::resolver
