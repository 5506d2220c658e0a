#include "resolver/lock/requirements_txt_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/env.h"
#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

constexpr size_t npos = std::string_view::npos;

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// A comment starts at the beginning of the line or behind white space.
size_t comment_at(std::string_view line) {
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '#' && (i == 0 || is_blank(line[i - 1]))) return i;
  }
  return npos;
}

bool is_comment(std::string_view line) {
  const size_t first = line.find_first_not_of(" \t\v\f");
  return first != npos && line[first] == '#';
}

// Behind the line break: "\n", "\r\n" or a lone "\r".
size_t end_of_line(std::string_view text, size_t begin) {
  const size_t stop = text.find_first_of("\r\n", begin);
  if (stop == npos) return text.size();
  return stop + (text.substr(stop, 2) == "\r\n" ? 2 : 1);
}

void add_piece(LogicalLine& line, std::string_view text, size_t number, size_t column) {
  line.pieces.push_back({line.text.size(), {static_cast<uint32_t>(number), static_cast<uint32_t>(column)}, false});
  line.text += text;
}

// Takes the comment and the white space around off. Whatever follows a comment in joined lines belongs to it.
void finish(LogicalLine& line) {
  line.text.resize(std::min(comment_at(line.text), line.text.size()));
  while (!line.text.empty() && is_blank(line.text.back())) line.text.pop_back();
  size_t front = 0;
  while (front < line.text.size() && is_blank(line.text[front])) ++front;
  line.text.erase(0, front);
  for (LogicalLine::Piece& piece : line.pieces) {
    if (piece.offset < front) piece.position.column += static_cast<uint32_t>(front - piece.offset);
    piece.offset = piece.offset < front ? 0 : piece.offset - front;
  }
}

bool is_variable_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The end of "${NAME}" that starts at `at`, or npos.
size_t end_of_variable(std::string_view text, size_t at) {
  if (text.substr(at, 2) != "${") return npos;
  size_t end = at + 2;
  while (end < text.size() && is_variable_char(text[end])) ++end;
  return end > at + 2 && end < text.size() && text[end] == '}' ? end + 1 : npos;
}

// "# -*- coding: latin-1 -*-" in one of the first two lines; "" without.
std::string_view declared_encoding(std::string_view bytes) {
  for (int i = 0; i < 2; ++i) {
    const size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    if (!line.starts_with('#')) continue;
    for (size_t at = line.find("coding"); at != npos; at = line.find("coding", at + 1)) {
      std::string_view rest = line.substr(at + 6);
      if (rest.empty() || (rest[0] != ':' && rest[0] != '=')) continue;
      rest.remove_prefix(1);
      while (!rest.empty() && is_blank(rest[0])) rest.remove_prefix(1);
      const size_t size = static_cast<size_t>(std::find_if_not(rest.begin(), rest.end(),
                                                               [](char c) {
                                                                 return std::isalnum(static_cast<unsigned char>(c)) ||
                                                                        c == '-' || c == '_' || c == '.';
                                                               }) -
                                              rest.begin());
      if (size > 0) return rest.substr(0, size);
    }
  }
  return "";
}

[[noreturn]] void refuse_bytes(std::string_view bytes, size_t bad_at, const std::string& label, std::string hint) {
  const auto line = std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(bad_at), '\n') + 1;
  const size_t start = bad_at == 0 ? npos : bytes.rfind('\n', bad_at - 1);
  throw Error(ErrorKind::bad_input, "a byte that is no character in the encoding of the file",
              fmt::format("{}:{}:{}", label, line, bad_at - (start == npos ? 0 : start + 1) + 1), std::move(hint));
}

}  // namespace

Position LogicalLine::position_of(size_t offset) const {
  Position out{static_cast<uint32_t>(number), 1};
  for (const Piece& piece : pieces) {
    if (piece.offset > offset) break;
    out = piece.position;
    if (!piece.is_value) out.column += static_cast<uint32_t>(offset - piece.offset);
  }
  return out;
}

std::vector<LogicalLine> logical_lines(std::string_view text) {
  std::vector<LogicalLine> out;
  size_t number = 0;
  bool continues = false;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = end_of_line(text, begin);
    std::string_view line = text.substr(begin, end - begin);
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    ++number;
    if (!continues) out.push_back({begin, end, number, "", {}, false});
    out.back().end = end;
    size_t column = 1;
    continues = !is_comment(line) && line.ends_with('\\');
    if (continues) {  // pip takes the back-slashes off both ends
      const size_t front = std::min(line.find_first_not_of('\\'), line.size());
      line.remove_prefix(front);
      column += front;
      while (line.ends_with('\\')) line.remove_suffix(1);
    } else if (is_comment(line) && !out.back().text.empty()) {
      out.back().text += ' ';
    }
    add_piece(out.back(), line, number, column);
    begin = end;
  }
  for (LogicalLine& line : out) finish(line);
  return out;
}

LogicalLine with_variables(const LogicalLine& line) {
  if (line.text.find("${") == npos) return line;
  LogicalLine out = line;
  out.text.clear();
  out.pieces.clear();
  size_t copied = 0;
  const auto copy_up_to = [&](size_t end) {
    const size_t shift = out.text.size();
    out.pieces.push_back({shift, line.position_of(copied), false});
    for (const LogicalLine::Piece& piece : line.pieces) {
      if (piece.offset > copied && piece.offset < end) {
        out.pieces.push_back({shift + piece.offset - copied, piece.position, false});
      }
    }
    out.text += std::string_view(line.text).substr(copied, end - copied);
    copied = end;
  };
  for (size_t at = line.text.find("${"); at != npos; at = line.text.find("${", at + 1)) {
    const size_t end = end_of_variable(line.text, at);
    if (end == npos) continue;
    const auto value = env_var(line.text.substr(at + 2, end - at - 3).c_str());
    if (!value) continue;
    copy_up_to(at);
    out.pieces.push_back({out.text.size(), line.position_of(at), true});
    out.text += *value;
    out.has_values = true;
    copied = end;
    at = end - 1;
  }
  copy_up_to(line.text.size());
  return out;
}

DecodedFile decode_requirements_file(std::string_view bytes, const std::string& label) {
  DecodedFile out;
  size_t mark_bytes = 0;
  const std::string_view declared = declared_encoding(bytes);
  if (const auto marked = byte_order_mark(bytes, mark_bytes)) {
    out.encoding = *marked;
  } else if (!declared.empty()) {
    const auto known = encoding_named(declared);
    if (!known) {
      throw Error(ErrorKind::bad_input, fmt::format("the encoding `{}` is not supported", declared.substr(0, 40)),
                  label + ":1:1", "save the file as UTF-8");
    }
    out.encoding = *known;
  }
  out.mark = bytes.substr(0, mark_bytes);
  size_t bad_at = 0;
  auto text = decode_text(bytes.substr(mark_bytes), out.encoding, bad_at);
  if (!text) {
    refuse_bytes(bytes, mark_bytes + bad_at, label,
                 "save it as UTF-8, or say what it is in the first line: `# -*- coding: latin-1 -*-`");
  }
  out.text = *std::move(text);
  return out;
}

std::string encode_requirements_file(const DecodedFile& file, std::string_view text) {
  const auto bytes = encode_text(text, file.encoding);
  if (!bytes) throw Error(ErrorKind::bad_input, "the encoding of the file lacks a character of the new requirement");
  return file.mark + *bytes;
}

}  // namespace dae::resolver
