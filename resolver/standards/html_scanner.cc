#include "resolver/standards/html_scanner.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/strings.h"
#include "resolver/standards/text_encoding.h"

namespace dae::resolver {
namespace {

constexpr size_t kMaxAttributes = 64;

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// "#62", "#x3e", "gt": what stands between '&' and ';'.
std::optional<uint32_t> entity_code(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, uint32_t>, 9> named = {{{"amp", '&'},
                                                                                  {"lt", '<'},
                                                                                  {"gt", '>'},
                                                                                  {"quot", '"'},
                                                                                  {"apos", '\''},
                                                                                  {"nbsp", 0xa0},
                                                                                  {"copy", 0xa9},
                                                                                  {"hellip", 0x2026},
                                                                                  {"ndash", 0x2013}}};
  for (const auto& [known, code] : named) {
    if (known == name) return code;
  }
  if (name.size() < 2 || name.size() > 9 || name[0] != '#') return std::nullopt;
  const bool hex = name[1] == 'x' || name[1] == 'X';
  uint32_t code = 0;
  const std::string_view digits = name.substr(hex ? 2 : 1);
  if (digits.empty()) return std::nullopt;
  for (char c : digits) {
    const char small = c >= 'A' && c <= 'F' ? static_cast<char>(c + ('a' - 'A')) : c;
    const bool decimal = small >= '0' && small <= '9';
    if (!decimal && !(hex && small >= 'a' && small <= 'f')) return std::nullopt;
    code = code * (hex ? 16 : 10) + static_cast<uint32_t>(decimal ? small - '0' : small - 'a' + 10);
    if (code > 0x10ffff) return std::nullopt;
  }
  if (code == 0 || (code >= 0xd800 && code <= 0xdfff)) return std::nullopt;
  return code;
}

// Case does not count; linear.
size_t find_word(std::string_view text, std::string_view lower_word) {
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; };
  const auto found = std::search(text.begin(), text.end(), lower_word.begin(), lower_word.end(), same);
  return found == text.end() ? std::string_view::npos : static_cast<size_t>(found - text.begin());
}

}  // namespace

const std::string* HtmlTag::attribute(std::string_view attribute_name) const {
  for (const auto& [key, value] : attributes) {
    if (key == attribute_name) return &value;
  }
  return nullptr;
}

std::string decode_entities(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (true) {
    const size_t amp = std::min(text.find('&'), text.size());
    out.append(text.substr(0, amp));
    text.remove_prefix(amp);
    if (text.empty()) return out;
    const size_t end = text.substr(0, 12).find(';');
    const auto code = end == std::string_view::npos ? std::nullopt : entity_code(text.substr(1, end - 1));
    if (code) {
      append_utf8(out, *code);
      text.remove_prefix(end + 1);
    } else {
      out += '&';
      text.remove_prefix(1);
    }
  }
}

void HtmlScanner::skip_past(std::string_view end) {
  const size_t found = rest_.find(end);
  rest_.remove_prefix(found == std::string_view::npos ? rest_.size() : found + end.size());
}

void HtmlScanner::skip_space() {
  while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
}

void HtmlScanner::read_attribute(HtmlTag& tag) {
  const auto ends_name = [](char c) { return is_space(c) || c == '=' || c == '>' || c == '/'; };
  size_t end = 1;  // a stray '=' at the front is part of the name, as browsers have it: always moves on
  while (end < rest_.size() && !ends_name(rest_[end])) ++end;
  std::string name = lower(rest_.substr(0, end));
  rest_.remove_prefix(end);
  skip_space();
  std::string_view value;
  if (!rest_.empty() && rest_.front() == '=') {
    rest_.remove_prefix(1);
    skip_space();
    if (!rest_.empty() && (rest_.front() == '"' || rest_.front() == '\'')) {
      const size_t close = std::min(rest_.find(rest_.front(), 1), rest_.size());
      value = rest_.substr(1, close - 1);
      rest_.remove_prefix(std::min(close + 1, rest_.size()));
    } else {
      size_t stop = 0;
      while (stop < rest_.size() && !is_space(rest_[stop]) && rest_[stop] != '>') ++stop;
      value = rest_.substr(0, stop);
      rest_.remove_prefix(stop);
    }
  }
  if (tag.attributes.size() < kMaxAttributes && !tag.attribute(name)) {
    tag.attributes.emplace_back(std::move(name), decode_entities(value));
  }
}

HtmlTag HtmlScanner::read_tag() {
  HtmlTag tag;
  size_t end = rest_.starts_with('/') ? 1 : 0;
  while (end < rest_.size() && !is_space(rest_[end]) && rest_[end] != '>' && rest_[end] != '/') ++end;
  tag.name = lower(rest_.substr(0, end));
  rest_.remove_prefix(end);
  while (true) {
    skip_space();
    if (rest_.empty()) return tag;
    if (rest_.front() == '>') {
      rest_.remove_prefix(1);
      return tag;
    }
    if (rest_.front() == '/') {
      rest_.remove_prefix(1);
    } else {
      read_attribute(tag);
    }
  }
}

std::optional<HtmlTag> HtmlScanner::next() {
  const std::string_view before = rest_;
  text_ = {};
  while (true) {
    const size_t open = rest_.find('<');
    if (open == std::string_view::npos || open + 1 >= rest_.size()) {
      text_ = before;
      rest_ = {};
      return std::nullopt;
    }
    const char* const tag_begin = rest_.data() + open;
    rest_.remove_prefix(open + 1);
    if (rest_.starts_with("!--")) {
      rest_.remove_prefix(2);  // "<!-->" is a whole comment
      skip_past("-->");
    } else if (rest_.front() == '!' || rest_.front() == '?') {
      skip_past(">");
    } else if (is_letter(rest_.front()) || (rest_.size() > 1 && rest_.front() == '/' && is_letter(rest_[1]))) {
      text_ = before.substr(0, static_cast<size_t>(tag_begin - before.data()));
      HtmlTag tag = read_tag();
      if (tag.name == "script" || tag.name == "style") {
        rest_.remove_prefix(std::min(find_word(rest_, "</" + tag.name), rest_.size()));
      }
      return tag;
    }  // else a lone '<' is text
  }
}

}  // namespace dae::resolver
