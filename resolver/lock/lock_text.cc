#include "resolver/lock/lock_text.h"

#include <algorithm>

namespace dae::resolver {

std::string_view lock_time(std::string_view text, std::string& buffer) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00";
  if (text.size() <= kShape.size() || text.back() != 'Z') return "";
  for (size_t i = 0; i < kShape.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kShape[i] == '0' ? !digit : text[i] != kShape[i]) return "";
  }
  std::string_view fraction = text.substr(kShape.size(), text.size() - kShape.size() - 1);
  if (fraction.empty()) return text;
  if (fraction[0] != '.' || fraction.size() > 10) return "";
  if (fraction.find_first_not_of("0123456789", 1) != std::string_view::npos) return "";
  if (fraction.size() > 1 && fraction.back() != '0') return text;
  while (!fraction.empty() && (fraction.back() == '0' || fraction.back() == '.')) fraction.remove_suffix(1);
  buffer = text.substr(0, kShape.size());
  buffer += fraction;
  buffer += 'Z';
  return buffer;
}

bool is_bare_toml_key(std::string_view key) {
  return !key.empty() && key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string_view::npos;
}

EntriesByName repeated_names(const std::vector<const LockedPackage*>& sorted) {
  EntriesByName out;
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i]->name != sorted[i - 1]->name) continue;
    auto& entries = out[sorted[i]->name];
    if (entries.empty()) entries.push_back(sorted[i - 1]);
    entries.push_back(sorted[i]);
  }
  return out;
}

std::string_view wheel_ending(std::string_view file_name, std::string_view package, std::string_view version) {
  if (file_name.size() < package.size() + version.size() + 2 || version.empty()) return "";
  for (size_t i = 0; i < package.size(); ++i) {
    const char c = file_name[i];
    const char plain = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c == '_' || c == '.' ? '-' : c;
    if (c == '-' || plain != package[i]) return "";
  }
  file_name.remove_prefix(package.size());
  if (file_name[0] != '-' || !file_name.substr(1).starts_with(version)) return "";
  file_name.remove_prefix(1 + version.size());
  return file_name.starts_with('-') ? file_name : "";
}

}  // namespace dae::resolver
