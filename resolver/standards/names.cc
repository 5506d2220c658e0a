#include "resolver/standards/names.h"

#include <algorithm>

#include "base/strings.h"

namespace dae::resolver {
namespace {

constexpr size_t kMaxExpandedTags = 4096;  // a compressed tag set multiplies: "a.b-c.d-e.f" is eight tags

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
  return is_letter(c) || is_digit(c);
}
bool is_separator(char c) {
  return c == '-' || c == '_' || c == '.';
}
bool is_tag_char(char c) {
  return is_alnum(c) || c == '_';
}

// "py2.py3" -> {"py2", "py3"}; nothing when a part is empty or odd.
std::vector<std::string> tag_parts(std::string_view text, bool identifier) {
  std::vector<std::string> out = split(lower(text), '.');
  for (const std::string& part : out) {
    if (part.empty() || !std::all_of(part.begin(), part.end(), is_tag_char)) return {};
    if (identifier && is_digit(part.front())) return {};
  }
  return out;
}

std::vector<std::string> expand_tags(std::string_view python, std::string_view abi, std::string_view platform) {
  const auto pythons = tag_parts(python, true), abis = tag_parts(abi, false), platforms = tag_parts(platform, false);
  if (pythons.size() * abis.size() * platforms.size() > kMaxExpandedTags) return {};
  std::vector<std::string> out;
  for (const auto& p : pythons) {
    for (const auto& a : abis) {
      for (const auto& q : platforms) out.push_back(p + "-" + a + "-" + q);
    }
  }
  return out;
}

bool is_wheel_distribution(std::string_view name) {
  if (name.empty() || name.find("__") != std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return is_alnum(c) || c == '_' || c == '.'; });
}

}  // namespace

std::pair<int64_t, std::string> WheelName::build_order() const {
  if (build.empty()) return {-1, ""};
  const size_t digits = std::min(build.find_first_not_of("0123456789"), build.size());
  return {parse_int(build.substr(0, digits)).value_or(0), build.substr(digits)};
}

bool is_valid_name(std::string_view name) {
  if (name.empty() || !is_alnum(name.front()) || !is_alnum(name.back())) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return is_alnum(c) || is_separator(c); });
}

std::string normalize_name(std::string_view name) {
  std::string out;
  out.reserve(name.size());
  for (char c : name) {
    if (is_separator(c)) {
      if (out.empty() || out.back() != '-') out += '-';
    } else {
      out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    }
  }
  return out;
}

std::optional<WheelName> parse_wheel_name(std::string_view file_name) {
  if (!file_name.ends_with(".whl") || file_name.size() > 512) return std::nullopt;
  const std::vector<std::string> parts = split(file_name.substr(0, file_name.size() - 4), '-');
  if (parts.size() != 5 && parts.size() != 6) return std::nullopt;
  if (!is_wheel_distribution(parts[0])) return std::nullopt;
  auto version = Version::try_parse(parts[1]);
  if (!version) return std::nullopt;

  WheelName out;
  out.distribution = normalize_name(parts[0]);
  out.version = *std::move(version);
  if (parts.size() == 6) {
    const size_t digits = std::min(parts[2].find_first_not_of("0123456789"), parts[2].size());
    if (digits == 0 || !parse_int(parts[2].substr(0, digits))) return std::nullopt;
    out.build = parts[2];
  }
  out.tags = expand_tags(parts[parts.size() - 3], parts[parts.size() - 2], parts[parts.size() - 1]);
  if (out.tags.empty()) return std::nullopt;
  return out;
}

std::optional<SdistName> parse_sdist_name(std::string_view file_name, std::string_view project) {
  std::string_view stem = file_name;
  if (stem.ends_with(".tar.gz")) {
    stem.remove_suffix(7);
  } else if (stem.ends_with(".zip")) {
    stem.remove_suffix(4);
  } else {
    return std::nullopt;
  }
  const auto answer = [](std::string_view name, std::string_view version) -> std::optional<SdistName> {
    auto parsed = Version::try_parse(version);
    if (name.empty() || !parsed) return std::nullopt;
    return SdistName{normalize_name(name), *std::move(parsed)};
  };
  // Before PEP 625 both the name and the version could hold dashes ("foo-bar-1.0-1.tar.gz"): the known name says where
  // one ends and the other begins.
  if (!project.empty()) {
    for (size_t dash = stem.find('-'); dash != std::string_view::npos; dash = stem.find('-', dash + 1)) {
      if (normalize_name(stem.substr(0, dash)) != project) continue;
      if (auto found = answer(stem.substr(0, dash), stem.substr(dash + 1))) return found;
    }
    return std::nullopt;
  }
  const size_t dash = stem.rfind('-');
  if (dash == std::string_view::npos) return std::nullopt;
  return answer(stem.substr(0, dash), stem.substr(dash + 1));
}

bool is_safe_file_name(std::string_view name) {
  if (name.empty() || name.size() > 255 || name.front() == '.') return false;
  if (name.find("..") != std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7f && c != '/' && c != '\\';
  });
}

}  // namespace dae::resolver
