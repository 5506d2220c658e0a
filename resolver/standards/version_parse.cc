// Reading and writing versions (PEP 440, appendix B is the grammar).
#include <charconv>
#include <utility>

#include "resolver/standards/version.h"
#include "resolver/standards/version_parts.h"

namespace dae::resolver {
namespace {

constexpr size_t kMaxTextBytes = 1024, kShortBytes = 48;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z');
}
bool is_separator(char c) {
  return c == '.' || c == '-' || c == '_';
}
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

void append_number(std::string& out, uint64_t number) {
  char buffer[24];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  out.append(buffer, end);
}

}  // namespace

// Consumes lower-case text from the front; every part that is absent leaves the position where it was.
struct VersionScanner {
  std::string_view rest;
  bool overflow = false;  // a number above 2^64: such a version is refused, not rounded

  bool eat(char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  bool eat(std::string_view word) {
    if (!rest.starts_with(word)) return false;
    rest.remove_prefix(word.size());
    return true;
  }
  void eat_separator() {
    if (!rest.empty() && is_separator(rest.front())) rest.remove_prefix(1);
  }
  std::optional<uint64_t> number() {
    if (rest.empty() || !is_digit(rest.front())) return std::nullopt;
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    overflow = overflow || error == std::errc::result_out_of_range;
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    return value;
  }
  // One of `words` (longest first where one begins another) with separators around it, then a number that may be left
  // out and is 0 then. Returns the index of the word.
  std::optional<std::pair<size_t, uint64_t>> suffix(std::initializer_list<std::string_view> words) {
    const std::string_view before = rest;
    eat_separator();
    size_t index = 0;
    for (std::string_view word : words) {
      if (eat(word)) {
        eat_separator();
        return std::pair(index, number().value_or(0));
      }
      ++index;
    }
    rest = before;
    return std::nullopt;
  }
  std::optional<std::pair<char, uint64_t>> pre() {
    const auto found = suffix({"alpha", "a", "beta", "b", "preview", "pre", "c", "rc"});
    if (!found) return std::nullopt;
    return std::pair(found->first < 2 ? 'a' : found->first < 4 ? 'b' : 'r', found->second);
  }
  std::optional<uint64_t> post() {
    if (rest.size() > 1 && rest[0] == '-' && is_digit(rest[1])) {  // "1.0-1", without a word
      rest.remove_prefix(1);
      return number();
    }
    const auto found = suffix({"post", "rev", "r"});
    return found ? std::optional(found->second) : std::nullopt;
  }
  bool release(std::vector<uint64_t>& out) {
    do {
      const auto segment = number();
      if (!segment) return false;
      out.push_back(*segment);
    } while (rest.size() > 1 && rest[0] == '.' && is_digit(rest[1]) && eat('.'));
    return true;
  }
  bool local(std::vector<Version::LocalSegment>& out) {
    while (true) {
      size_t size = 0;
      bool digits = true;
      while (size < rest.size() && is_alnum(rest[size])) digits = is_digit(rest[size++]) && digits;
      if (size == 0) return false;
      if (digits) {
        out.emplace_back(*number());
      } else {
        out.emplace_back(std::string(rest.substr(0, size)));
        rest.remove_prefix(size);
      }
      if (rest.empty()) return true;
      if (!is_separator(rest.front())) return false;
      rest.remove_prefix(1);
    }
  }

  // At most four segments and one suffix: nearly every version there is, without an allocation. 0: not of this shape.
  static uint64_t compact(std::string_view lowered) {
    uint64_t release[small::kSegments];
    size_t size = 0;
    VersionScanner scanner{lowered};
    do {
      const auto segment = size < small::kSegments ? scanner.number() : std::nullopt;
      if (!segment) return 0;
      release[size++] = *segment;
    } while (scanner.rest.size() > 1 && is_digit(scanner.rest[1]) && scanner.eat('.'));
    small::Kind kind = small::final;
    uint64_t number = 0;
    if (!scanner.rest.empty()) {
      if (const auto pre = scanner.pre()) {
        kind = pre->first == 'a' ? small::alpha : pre->first == 'b' ? small::beta : small::candidate;
        number = pre->second;
      } else if (const auto post = scanner.post()) {
        kind = small::post;
        number = *post;
      } else if (const auto found = scanner.suffix({"dev"})) {
        kind = small::dev;
        number = found->second;
      }
    }
    return scanner.rest.empty() && !scanner.overflow ? small::make(release, size, kind, number) : 0;
  }

  bool parts(Version::Parts& out) {
    eat('v');
    const std::string_view before = rest;
    if (const auto epoch = number(); epoch && eat('!')) {
      out.epoch = *epoch;
    } else {
      rest = before;
    }
    if (!release(out.release)) return false;
    out.pre = pre();
    out.post = post();
    if (const auto found = suffix({"dev"})) out.dev = found->second;
    if (eat('+') && !local(out.local)) return false;
    return rest.empty() && !overflow;
  }

  static std::optional<Version> parse(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    if (text.empty() || text.size() > kMaxTextBytes) return std::nullopt;
    char buffer[kShortBytes];
    std::string longer;
    char* const lowered = text.size() <= kShortBytes ? buffer : (longer.resize(text.size()), longer.data());
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      lowered[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    }
    const std::string_view whole(lowered, text.size());
    if (const uint64_t key = compact(whole)) {
      Version out;
      out.key_ = key;
      return out;
    }
    Version::Parts parsed;
    if (!VersionScanner{whole}.parts(parsed)) return std::nullopt;
    return Version::from_parts(std::move(parsed));
  }
};

std::optional<Version> Version::try_parse(std::string_view text) {
  return VersionScanner::parse(text);
}

std::string Version::base_text() const {
  std::string out;
  if (const uint64_t number = epoch()) {
    append_number(out, number);
    out += '!';
  }
  for (size_t i = 0; i < release_size(); ++i) {
    if (i > 0) out += '.';
    append_number(out, release_at(i));
  }
  return out;
}

std::string Version::text() const {
  std::string out = base_text();
  if (const auto part = pre()) {
    out += part->first == 'r' ? "rc" : std::string_view(&part->first, 1);
    append_number(out, part->second);
  }
  if (const auto part = post()) {
    out += ".post";
    append_number(out, *part);
  }
  if (const auto part = dev()) {
    out += ".dev";
    append_number(out, *part);
  }
  char separator = '+';
  for (const LocalSegment& segment : local()) {
    out += std::exchange(separator, '.');
    if (const auto* number = std::get_if<uint64_t>(&segment)) {
      append_number(out, *number);
    } else {
      out += std::get<std::string>(segment);
    }
  }
  return out;
}

}  // namespace dae::resolver
