#pragma once
// Reads along a text; after the first surprise `ok` is false and nothing moves any more.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace dae::resolver {

class LockCursor {
 public:
  explicit LockCursor(std::string_view text) : rest_(text) {}

  // Line breaks and printable ASCII only. The rest needs care that the general reader takes.
  static bool is_plain(std::string_view text) {
    uint32_t odd = 0;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      odd |= static_cast<uint32_t>((byte < 0x20) & (byte != '\n')) | static_cast<uint32_t>(byte >= 0x7f);
    }
    return odd == 0;
  }

  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  bool sees(std::string_view piece) const { return ok_ && rest_.starts_with(piece); }
  bool take(std::string_view piece) {
    if (!sees(piece)) return false;
    rest_.remove_prefix(piece.size());
    return true;
  }
  void need(std::string_view piece) { ok_ = take(piece); }
  void require(bool condition) { ok_ = ok_ && condition; }

  // In quotes, as the renderer quotes.
  void string(std::string& out) {
    out.clear();
    need("\"");
    while (ok_) {
      const char* begin = rest_.data();
      const void* quote = std::memchr(begin, '"', rest_.size());
      if (quote == nullptr) break;
      const size_t size = static_cast<size_t>(static_cast<const char*>(quote) - begin);
      if (std::memchr(begin, '\n', size) != nullptr) break;
      const void* backslash = std::memchr(begin, '\\', size);
      if (backslash == nullptr) {
        out.append(begin, size);
        rest_.remove_prefix(size + 1);
        return;
      }
      const size_t plain = static_cast<size_t>(static_cast<const char*>(backslash) - begin);
      out.append(begin, plain);
      rest_.remove_prefix(plain + 1);
      escape(out);
    }
    ok_ = false;
  }
  // The same, where the renderer leaves out what is empty.
  void text(std::string& out) {
    string(out);
    require(!out.empty());
  }
  // ", key = "text"" of an inline table, if it is there.
  void member(std::string_view key, std::string& out) {
    if (!ok_ || !rest_.starts_with(", ") || !rest_.substr(2).starts_with(key)) return;
    const std::string_view behind = rest_.substr(2 + key.size());
    if (!behind.starts_with(" = ")) return;
    rest_ = behind.substr(3);
    text(out);
  }
  // Up to `stop`, which stays, in this line.
  std::string_view until(char stop) {
    size_t size = 0;
    while (ok_ && size < rest_.size() && rest_[size] != stop && rest_[size] != '\n') ++size;
    require(size > 0 && size < rest_.size() && rest_[size] == stop);
    if (!ok_) return {};
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  void skip_line() {
    const size_t end = rest_.find('\n');
    require(end != std::string_view::npos);
    if (ok_) rest_.remove_prefix(end + 1);
  }

 private:
  void escape(std::string& out) {
    if (rest_.starts_with('"') || rest_.starts_with('\\')) {
      out += rest_[0];
      rest_.remove_prefix(1);
      return;
    }
    // Control characters only, in lower case.
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
    const bool shaped = rest_.starts_with("u00") && rest_.size() >= 5;
    const int high = shaped ? digit(rest_[3]) : -1, low = shaped ? digit(rest_[4]) : -1;
    const int code = high < 0 || low < 0 ? -1 : high * 16 + low;
    ok_ = code >= 0 && (code < 0x20 || code == 0x7f);
    if (!ok_) return;
    out += static_cast<char>(code);
    rest_.remove_prefix(5);
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace dae::resolver
