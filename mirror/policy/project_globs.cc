#include "mirror/policy/project_globs.h"

#include <algorithm>

#include "base/strings.h"

namespace dae::mirror {
namespace {

constexpr size_t kLongestGlob = 200;
constexpr size_t kMostGlobs = 10'000;

bool is_separator(char c) {
  return c == '-' || c == '_' || c == '.';
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

}  // namespace

std::string normalize_project_glob(std::string_view glob) {
  if (glob.size() > kLongestGlob) return "";
  std::string out;
  for (const char c : lower(glob)) {
    if (is_separator(c)) {
      if (out.empty() || out.back() != '-') out += '-';
    } else if (is_name_character(c) || c == '*' || c == '?') {
      out += c;
    } else {
      return "";
    }
  }
  // No project begins or ends with a separator: such a glob would match nothing, silently.
  if (out.empty() || out.front() == '-' || out.back() == '-') return "";
  return out;
}

bool matches_any(const std::vector<std::string>& globs, std::string_view project) {
  return std::ranges::any_of(globs, [&](const std::string& glob) { return glob_match(glob, project); });
}

std::vector<std::string> read_project_globs(Reader& reader, std::string_view key) {
  std::vector<std::string> globs;
  const Value* list = reader.optional(key);
  if (list == nullptr) return globs;
  const auto add = [&](const Value& value) {
    std::string glob = normalize_project_glob(value.as_string());
    if (glob.empty()) {
      throw reader.error_at(value, "`" + value.as_string() + "` is no project name or glob",
                            "letters, digits, `-`, `_`, `.`, and `*` and `?` for any of them: `acme-*`");
    }
    if (std::ranges::find(globs, glob) == globs.end()) globs.push_back(std::move(glob));
  };
  if (list->is_string()) {
    add(*list);
  } else {
    if (!list->is_array()) throw reader.error_at(*list, "`" + std::string(key) + "` must be a list of project globs");
    if (list->size() > kMostGlobs) throw reader.error_at(*list, "too many globs");
    for (const Value& value : list->as_array()) add(value);
  }
  return globs;
}

}  // namespace dae::mirror
