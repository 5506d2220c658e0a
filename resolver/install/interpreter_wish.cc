#include "resolver/install/interpreter_wish.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kLimitBytes = 64 << 10;
constexpr size_t kMostWishes = 50;
constexpr const char* kFile = ".python-version";

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Names one version, not a series: "3.11.7", "3.13rc1".
bool is_exact(const std::string& version) {
  return std::ranges::count(version, '.') >= 2 || version.find_first_not_of("0123456789.") != std::string::npos;
}

std::string_view without_prefix(std::string_view text, bool& compact) {
  for (const std::string_view prefix : {"cpython-", "cpython@", "cpython", "python-", "python", "py", "cp"}) {
    if (!text.starts_with(prefix)) continue;
    compact = true;
    return text.substr(prefix.size());
  }
  return text;
}

}  // namespace

SpecifierSet PythonWish::specifiers() const {
  if (version.empty()) return {};
  return SpecifierSet::parse("==" + version + (is_exact(version) ? "" : ".*"));
}

bool PythonWish::may_fit(const SpecifierSet& allowed) const {
  if (version.empty() || allowed.text().empty()) return true;
  const auto dots = std::ranges::count(version, '.');
  if (is_exact(version)) return allowed.contains(Version::parse(version));
  const int most_minor = dots == 0 ? 60 : 0, most_patch = 60;  // no release had or will have more
  for (int minor = 0; minor <= most_minor; ++minor) {
    const std::string base = dots == 0 ? fmt::format("{}.{}", version, minor) : version;
    for (int patch = 0; patch <= most_patch; ++patch) {
      if (allowed.contains(Version::parse(fmt::format("{}.{}", base, patch)))) return true;
    }
  }
  return false;
}

std::optional<PythonWish> parse_python_wish(std::string_view text) {
  PythonWish out;
  bool compact = false;
  std::string version(without_prefix(trim(text), compact));
  if (version.ends_with('t')) {
    out.free_threaded = true;
    version.pop_back();
  }
  if (version.size() >= 2 && version.size() <= 3 && version[0] == '3' && all_digits(version)) {
    version = version.substr(0, 1) + "." + version.substr(1);
  } else if (all_digits(version) && version.size() > 1) {
    return std::nullopt;
  }
  if (version.empty() || version[0] < '0' || version[0] > '9' || !Version::try_parse(version)) return std::nullopt;
  if (version.find_first_of("+!-_") != std::string::npos) return std::nullopt;
  out.version = version;
  return out;
}

PythonVersionFile parse_python_version_file(const Path& path, std::string_view text) {
  PythonVersionFile out{path, {}};
  int number = 0;
  for (const std::string& line : split_lines(text)) {
    ++number;
    const std::string_view word = trim(std::string_view(line).substr(0, line.find('#')));
    if (word.empty()) continue;
    const std::string where = fmt::format("{}:{}", path.string(), number);
    if (out.wishes.size() == kMostWishes) throw Error(ErrorKind::bad_input, "too many versions", where);
    const auto wish = word == "system" ? std::optional(PythonWish{}) : parse_python_wish(word);
    if (wish) {
      out.wishes.push_back(*wish);
      continue;
    }
    const std::string name = lower(word);
    const bool other = name.starts_with("pypy") || name.starts_with("graalpy") || name.starts_with("jython") ||
                       name.starts_with("ironpython") || name.starts_with("pyston") || name.starts_with("stackless");
    throw Error(ErrorKind::bad_input,
                other ? fmt::format("`{}` is not CPython, and nothing else is supported", name)
                      : fmt::format("`{}` is no Python version", std::string(word.substr(0, 80))),
                where, "write it as `3.11` or `3.11.7`, or name an interpreter with `--python`");
  }
  return out;
}

std::optional<PythonVersionFile> find_python_version_file(const Path& dir) {
  const Path home = home_dir();
  for (Path at = std::filesystem::absolute(dir).lexically_normal();; at = at.parent_path()) {
    const Path file = at / kFile;
    if (const auto info = file_info(file); info && !info->is_dir()) {
      if (const auto text = read_file_if_exists(file, kLimitBytes)) {
        PythonVersionFile found = parse_python_version_file(file, *text);
        if (!found.wishes.empty()) return found;
      }
    }
    if (at == home || exists(at / ".git") || exists(at / ".hg") || at == at.parent_path()) return std::nullopt;
  }
}

}  // namespace dae::resolver
