#pragma once
// Markup in which only string literals are markup: whatever else is added is text, and is escaped.
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dae::mirror {

class Html {
 public:
  Html() = default;
  template <typename... Parts>
  explicit Html(const Parts&... parts) {
    add(parts...);
  }
  template <typename... Parts>
  Html& add(const Parts&... parts) {
    (put(parts), ...);
    return *this;
  }
  const std::string& str() const { return out_; }
  bool empty() const { return out_.empty(); }

 private:
  template <size_t kSize>
  void put(const char (&markup)[kSize]) {
    out_.append(markup, kSize - 1);
  }
  void put(const Html& html) { out_ += html.out_; }
  void put(const std::string& text) { put(std::string_view(text)); }
  void put(std::string_view text);
  template <std::integral Number>
  void put(Number number) {
    out_ += std::to_string(number);
  }

  std::string out_;
};

// "1,234,567".
std::string grouped(int64_t number);
// "1 file", "1,234 files".
std::string counted(int64_t number, std::string_view one, std::string_view many);
// <time>, to the minute, with the whole in `datetime`; a dash when it is 0 or less.
Html time_of(int64_t wall_ms);
// The same of an RFC 3339 text from outside; as text when it is none.
Html time_of(const std::string& rfc3339);

}  // namespace dae::mirror
