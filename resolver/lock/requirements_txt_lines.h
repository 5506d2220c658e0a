#pragma once
// The lines of a requirements file as pip cuts them: encodings, continuation lines, comments, ${VARIABLES}. Every
// character of a line knows the place it was read from.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"
#include "resolver/standards/text_encoding.h"

namespace dae::resolver {

// A line after joining continuations and taking comments off.
struct LogicalLine {
  struct Piece {
    size_t offset = 0;  // in `text`
    Position position;
    bool is_value = false;  // of a variable: all of it stands at one place
  };
  size_t begin = 0, end = 0;  // in the file's text; `end` is behind the line break
  size_t number = 0;          // of the first line, from 1
  std::string text;           // trimmed; may be empty
  std::vector<Piece> pieces;  // ascending
  bool has_values = false;    // variables were filled in: the text may hold secrets and is not for messages

  Position position_of(size_t offset) const;
};
std::vector<LogicalLine> logical_lines(std::string_view text);

// "${NAME}" (upper case, digits, '_') by its value; what is not set stays as it is.
LogicalLine with_variables(const LogicalLine& line);

// A requirements file as UTF-8, and how to write it back. A byte order mark decides, else a coding line (PEP 263) among
// the first two, else it is UTF-8. Throws Error bad_input `label`:line:column.
struct DecodedFile {
  std::string text;
  Encoding encoding = Encoding::utf8;
  std::string mark;  // the byte order mark's bytes
};
DecodedFile decode_requirements_file(std::string_view bytes, const std::string& label);
// The bytes of `file` with another text. Throws Error bad_input when its encoding lacks a character.
std::string encode_requirements_file(const DecodedFile& file, std::string_view text);

}  // namespace dae::resolver
