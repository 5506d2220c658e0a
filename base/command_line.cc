// Command lines in POSIX shell quoting (XCU section 2.2), without any expansion.
#include "base/error.h"
#include "base/process.h"

namespace dae {
namespace {

[[noreturn]] void fail(std::string_view what, std::string_view text) {
  throw Error(ErrorKind::bad_input, std::string(what) + " in command `" + std::string(text.substr(0, 200)) + "`");
}

// Reads a double-quoted part from behind its first quote; returns the index behind the last one.
size_t read_double_quoted(std::string_view text, size_t i, std::string& word) {
  for (; i < text.size() && text[i] != '"'; ++i) {
    const bool escape = text[i] == '\\' && i + 1 < text.size() &&
                        std::string_view("$`\"\\\n").find(text[i + 1]) != std::string_view::npos;
    if (escape) ++i;
    if (!(escape && text[i] == '\n')) word += text[i];
  }
  if (i >= text.size()) fail("a double quote is not closed", text);
  return i + 1;
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_-+=.,:/@%^").find(c) != std::string_view::npos;
}

}  // namespace

std::vector<std::string> split_command(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == ' ' || c == '\t' || c == '\n') {
      if (in_word) words.push_back(word);
      word.clear();
      in_word = false;
      ++i;
      continue;
    }
    in_word = true;
    if (c == '\'') {
      const size_t end = text.find('\'', i + 1);
      if (end == std::string_view::npos) fail("a single quote is not closed", text);
      word += text.substr(i + 1, end - i - 1);
      i = end + 1;
    } else if (c == '"') {
      i = read_double_quoted(text, i + 1, word);
    } else if (c == '\\') {
      if (i + 1 >= text.size()) fail("nothing follows the last backslash", text);
      if (text[i + 1] != '\n') word += text[i + 1];
      i += 2;
    } else {
      word += c;
      ++i;
    }
  }
  if (in_word) words.push_back(word);
  return words;
}

std::string quote_command(const std::vector<std::string>& argv) {
  std::string out;
  for (const std::string& word : argv) {
    if (!out.empty()) out += ' ';
    bool plain = !word.empty();
    for (char c : word) plain = plain && is_plain(c);
    if (plain) {
      out += word;
      continue;
    }
    out += '\'';
    for (char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    out += '\'';
  }
  return out;
}

}  // namespace dae
