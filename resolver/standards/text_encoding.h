#pragma once
// Texts of other tools, brought to UTF-8: byte order marks, UTF-16 and UTF-32, and the one-byte encodings that occur.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dae::resolver {

enum class Encoding { utf8, utf16_le, utf16_be, utf32_le, utf32_be, latin1, cp1252, ascii };

// "latin-1", "ISO_8859_1", "utf8", …: the names Python knows them by. nullopt for any other.
std::optional<Encoding> encoding_named(std::string_view name);

// Offset of the first byte that is no part of well-formed UTF-8 (RFC 3629), or nullopt.
std::optional<size_t> invalid_utf8_at(std::string_view text);

// To UTF-8. On failure nothing, and `bad_at` is the offset of the offending byte.
std::optional<std::string> decode_text(std::string_view bytes, Encoding encoding, size_t& bad_at);
// Back again; nullopt when the encoding lacks a character. `text` is UTF-8.
std::optional<std::string> encode_text(std::string_view text, Encoding encoding);

// What a byte order mark says; `mark_bytes` becomes its length, 0 without one.
std::optional<Encoding> byte_order_mark(std::string_view bytes, size_t& mark_bytes);

void append_utf8(std::string& out, uint32_t code);  // a Unicode scalar value
std::string latin1_to_utf8(std::string_view bytes);

}  // namespace dae::resolver
