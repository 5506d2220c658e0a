#pragma once
// A position in one line of text, shared by the requirement and marker parsers so that both name columns of the
// whole line.
#include <string>
#include <string_view>

#include "base/error.h"

namespace dae::resolver {

struct Scanner {
  std::string_view text;
  size_t at = 0;

  bool done() const { return at >= text.size(); }
  char peek() const { return done() ? '\0' : text[at]; }
  std::string_view rest() const { return text.substr(at); }
  // Blank and tab only: the grammar's "wsp".
  void skip_space() {
    while (peek() == ' ' || peek() == '\t') ++at;
  }
  bool eat(std::string_view expected) {
    if (!rest().starts_with(expected)) return false;
    at += expected.size();
    return true;
  }
  [[noreturn]] void fail(const std::string& message, std::string hint = "") const {
    throw Error(ErrorKind::bad_input, "column " + std::to_string(at + 1) + ": " + message,
                std::string(text.substr(0, 300)), std::move(hint));
  }
};

inline bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

}  // namespace dae::resolver
