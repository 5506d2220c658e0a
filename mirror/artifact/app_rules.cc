#include "mirror/artifact/app_rules.h"

#include <algorithm>

#include "base/strings.h"

namespace dae::mirror {

namespace {

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

template <typename Test>
bool all(std::string_view text, Test test) {
  return !text.empty() && std::all_of(text.begin(), text.end(), test);
}

bool is_number(std::string_view text, size_t max_digits) {
  return text.size() <= max_digits && all(text, is_digit) && (text.size() == 1 || text[0] != '0');
}

}  // namespace

bool is_app_name(std::string_view text) {
  return text.size() <= 63 && !text.empty() && is_lower(text[0]) &&
         all(text, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

bool is_instance_name(std::string_view text) {
  return text.size() <= 63 && !text.empty() && is_lower(text[0]) &&
         all(text, [](char c) { return is_lower(c) || is_digit(c) || c == '-' || c == '_'; });
}

bool is_env_name(std::string_view text) {
  return text.size() <= 255 && !text.empty() && !is_digit(text[0]) &&
         all(text, [](char c) { return is_lower(c) || is_upper(c) || is_digit(c) || c == '_'; });
}

bool is_batch(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  const auto number = is_number(text, 6) ? parse_int(text) : std::nullopt;
  return number && *number >= 1 && (!percent || *number <= 100);
}

bool is_host_name(std::string_view text) {
  if (text.starts_with("*."))
    text.remove_prefix(2);
  else if (text.starts_with("."))
    text.remove_prefix(1);
  if (text.empty() || text.size() > 253) return false;
  const auto labels = split(text, '.');
  return std::all_of(labels.begin(), labels.end(), [](const std::string& label) {
    return label.size() <= 63 &&
           all(label, [](char c) { return is_lower(c) || is_digit(c) || c == '-' || c == '_'; }) &&
           label.front() != '-' && label.back() != '-';
  });
}

bool is_url_prefix(std::string_view text) {
  if (!text.starts_with('/') || text.size() > 255) return false;
  const auto parts = split(text, '/');
  return std::none_of(parts.begin(), parts.end(),
                      [](const std::string& part) { return part == "." || part == ".."; }) &&
         all(text, [](char c) {
           return is_lower(c) || is_upper(c) || is_digit(c) || c == '/' || c == '-' || c == '_' || c == '.' || c == '~';
         });
}

bool is_inner_path(std::string_view text) {
  if (text.empty() || text.front() == '/' || text.size() > 1024) return false;
  const auto parts = split(text, '/');
  return std::find(parts.begin(), parts.end(), "..") == parts.end() && all(text, [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte >= 0x20 && byte != 0x7F && c != '\\';
         });
}

bool is_platform(std::string_view text) {
  return text.size() <= 100 && all(text, [](char c) { return is_lower(c) || is_digit(c) || c == '_'; });
}

bool is_python_minor(std::string_view text) {
  const auto parts = split(text, '.');
  return parts.size() == 2 && is_number(parts[0], 3) && is_number(parts[1], 3);
}

bool is_wheel_file_name(std::string_view text) {
  return text.size() <= 255 && text.ends_with(".whl") && all(text, [](char c) {
           return is_lower(c) || is_upper(c) || is_digit(c) || c == '-' || c == '_' || c == '.' || c == '+' || c == '!';
         });
}

}  // namespace dae::mirror
