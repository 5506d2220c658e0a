#include "resolver/standards/names.h"

#include <algorithm>
#include <array>

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

constexpr std::array<std::string_view, 2> kSdistEndings = {".tar.gz", ".zip"};
// What pip unpacks besides.
constexpr std::array<std::string_view, 10> kOldSdistEndings = {".tgz",      ".tar.bz2", ".tbz",    ".tar.xz",  ".txz",
                                                               ".tar.lzma", ".tlz",     ".tar.lz", ".tar.zst", ".tar"};

template <typename Endings>
std::string_view ending_among(std::string_view file_name, const Endings& endings) {
  const auto found =
      std::find_if(endings.begin(), endings.end(), [&](std::string_view end) { return file_name.ends_with(end); });
  return found == endings.end() ? std::string_view() : *found;
}

// Where `project` ends in "Foo_Bar-1.0": at the dash. Compares as normalize_name() would, without making a copy.
size_t end_of_project(std::string_view file_name, std::string_view project) {
  size_t at = 0;
  for (const char wanted : project) {
    if (at >= file_name.size()) return std::string_view::npos;
    if (wanted == '-') {
      if (!is_separator(file_name[at])) return std::string_view::npos;
      while (at < file_name.size() && is_separator(file_name[at])) ++at;
      continue;
    }
    const char c = file_name[at];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c) != wanted) return std::string_view::npos;
    ++at;
  }
  return at < file_name.size() && file_name[at] == '-' ? at : std::string_view::npos;
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
  if (file_name.size() > 512) return std::nullopt;
  std::string_view ending = ending_among(file_name, kSdistEndings);
  if (ending.empty() && !project.empty()) ending = ending_among(file_name, kOldSdistEndings);
  if (ending.empty()) return std::nullopt;
  const std::string_view stem = file_name.substr(0, file_name.size() - ending.size());
  const auto answer = [](std::string_view name, std::string_view version) -> std::optional<SdistName> {
    auto parsed = Version::try_parse(version);
    if (name.empty() || !parsed) return std::nullopt;
    return SdistName{normalize_name(name), *std::move(parsed)};
  };
  // Before PEP 625 both the name and the version could hold dashes ("foo-bar-1.0-1.tar.gz"): the known name says where
  // one ends and the other begins.
  if (!project.empty()) {
    const size_t dash = end_of_project(stem, project);
    if (dash == std::string_view::npos) return std::nullopt;
    return answer(project, stem.substr(dash + 1));
  }
  const size_t dash = stem.rfind('-');
  if (dash == std::string_view::npos) return std::nullopt;
  return answer(stem.substr(0, dash), stem.substr(dash + 1));
}

bool has_distribution_ending(std::string_view file_name) {
  return file_name.ends_with(".whl") || !ending_among(file_name, kSdistEndings).empty() ||
         !ending_among(file_name, kOldSdistEndings).empty();
}

bool is_file_of_project(std::string_view file_name, std::string_view project) {
  return end_of_project(file_name, project) != std::string_view::npos;
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
