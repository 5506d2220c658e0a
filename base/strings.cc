#include "base/strings.h"

#include <algorithm>
#include <charconv>

namespace dae {
namespace {

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

char lower_char(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// One "[...]" class at `pattern[at]`; moves `at` behind it. An unclosed '[' is an ordinary character.
bool class_matches(std::string_view pattern, size_t& at, char c) {
  size_t i = at + 1;
  bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool found = false;
  for (size_t first = i; i < pattern.size() && (pattern[i] != ']' || i == first); ++i) {
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      found = found || (pattern[i] <= c && c <= pattern[i + 2]);
      i += 2;
    } else {
      found = found || pattern[i] == c;
    }
  }
  if (i >= pattern.size()) {
    ++at;
    return c == '[';
  }
  at = i + 1;
  return found != negated;
}

// Matches one character; moves `at` over the pattern element when it does.
bool element_matches(std::string_view pattern, size_t& at, char c) {
  if (at >= pattern.size() || pattern[at] == '*') return false;
  if (pattern[at] == '?') return ++at, true;
  if (pattern[at] == '[') {
    size_t next = at;
    if (!class_matches(pattern, next, c)) return false;
    at = next;
    return true;
  }
  if (pattern[at] != c) return false;
  ++at;
  return true;
}

// Backs up to the last star only, which is enough for globs and keeps the worst case quadratic.
bool segment_matches(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    if (element_matches(pattern, p, text[t])) {
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  size_t start = 0;
  for (size_t i; (i = text.find(separator, start)) != std::string_view::npos; start = i + 1) {
    parts.emplace_back(text.substr(start, i - start));
  }
  parts.emplace_back(text.substr(start));
  return parts;
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.emplace_back(line);
  }
  return lines;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += separator;
    out += parts[i];
  }
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower_char);
  return out;
}

bool iequals(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower_char(x) == lower_char(y); });
}

std::optional<int64_t> parse_int(std::string_view text) {
  int64_t value = 0;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  if (from.empty()) return text;
  std::string out;
  size_t start = 0;
  for (size_t i; (i = text.find(from, start)) != std::string::npos; start = i + from.size()) {
    out.append(text, start, i - start);
    out += to;
  }
  out.append(text, start);
  return out;
}

bool glob_match(std::string_view pattern, std::string_view path) {
  std::vector<std::string> wanted = split(pattern, '/'), segments = split(path, '/');
  // reachable[j]: the pattern segments so far match the first j path segments.
  std::vector<bool> reachable(segments.size() + 1, false);
  reachable[0] = true;
  for (size_t i = 0; i < wanted.size(); ++i) {
    std::vector<bool> next(segments.size() + 1, false);
    const bool across = wanted[i] == "**";
    // A trailing "**" stands for what is below a directory, never for the directory itself.
    const bool last = i + 1 == wanted.size() && i > 0;
    bool seen = false;
    for (size_t j = 0; j <= segments.size(); ++j) {
      if (across) {
        next[j] = seen || (reachable[j] && !last);
        seen = seen || reachable[j];
      } else if (j > 0) {
        next[j] = reachable[j - 1] && segment_matches(wanted[i], segments[j - 1]);
      }
    }
    reachable = std::move(next);
  }
  return reachable[segments.size()];
}

std::string html_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#x27;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace dae
