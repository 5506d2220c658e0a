#include "resolver/lock/conflict_markers.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/lock/merge.h"

namespace dae::resolver {

namespace {

constexpr uint64_t kMaxLockBytes = 64ull << 20;
enum class Part { common, ours, base, theirs };

// Seven of one character, then the end of the line or a space: what git writes, and no TOML.
bool is_marker(std::string_view line, char c) {
  if (line.size() < 7 || line.substr(0, 7) != std::string(7, c)) return false;
  return line.size() == 7 || line[7] == ' ' || line[7] == '\r';
}

std::string quoted_value(std::string_view line, std::string_view key) {
  if (!line.starts_with(key)) return "";
  const std::string_view rest = trim(line.substr(key.size()));
  if (!rest.starts_with('=')) return "";
  const std::string_view value = trim(rest.substr(1));
  if (value.size() < 2 || value.front() != value.back() || (value[0] != '"' && value[0] != '\'')) return "";
  return std::string(value.substr(1, value.size() - 2));
}

// One side need not be a whole lock: git joins blocks as it sees fit. Names and versions are enough for preferences.
Lock pins_by_line(std::string_view text) {
  Lock out;
  for (const std::string& line : split_lines(text)) {
    const std::string_view code = trim(line);
    if (code == "[[packages]]") {
      out.packages.emplace_back();
    } else if (!out.packages.empty()) {
      LockedPackage& package = out.packages.back();
      const std::string name = quoted_value(code, "name"), version = quoted_value(code, "version");
      if (package.name.empty() && is_valid_name(name)) package.name = normalize_name(name);
      if (package.version.empty() && Version::try_parse(version)) package.version = version;
    }
  }
  std::erase_if(out.packages, [](const LockedPackage& p) { return p.name.empty() || p.version.empty(); });
  return out;
}

Lock side(const std::string& text, const std::string& name) {
  try {
    return parse_lock(text, name);
  } catch (const Error& error) {
    if (error.message().find("lock-version") != std::string::npos) throw;  // a lock from the future stays one
    return pins_by_line(text);
  }
}

}  // namespace

bool has_conflict_markers(std::string_view text) {
  if (text.find("<<<<<<<") == std::string_view::npos) return false;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (is_marker(text.substr(at, end - at), '<')) return true;
    at = end + 1;
  }
  return false;
}

ConflictSides split_conflicts(std::string_view text, const std::string& name) {
  ConflictSides out;
  std::string base;
  bool all_have_base = true, this_has_base = false;
  Part part = Part::common;
  size_t number = 0, opened = 0;
  const auto stray = [&](const char* what) {
    throw Error(ErrorKind::bad_input, fmt::format("a conflict marker `{}` without its counterpart", what),
                fmt::format("{}:{}:1", name, number), "restore the lock from version control, or delete it");
  };
  for (size_t at = 0; at < text.size();) {
    const size_t stop = text.find('\n', at);
    const size_t end = stop == std::string_view::npos ? text.size() : stop + 1;
    const std::string_view whole = text.substr(at, end - at);
    const std::string_view line = whole.ends_with('\n') ? whole.substr(0, whole.size() - 1) : whole;
    at = end;
    ++number;
    if (is_marker(line, '<')) {
      if (part != Part::common) stray("<<<<<<<");
      part = Part::ours;
      opened = number;
      this_has_base = false;
    } else if (is_marker(line, '|')) {
      if (part != Part::ours) stray("|||||||");
      part = Part::base;
      this_has_base = true;
    } else if (is_marker(line, '=')) {
      if (part != Part::ours && part != Part::base) stray("=======");
      part = Part::theirs;
    } else if (is_marker(line, '>')) {
      if (part != Part::theirs) stray(">>>>>>>");
      part = Part::common;
      all_have_base = all_have_base && this_has_base;
    } else {
      if (part == Part::common || part == Part::ours) out.ours += whole;
      if (part == Part::common || part == Part::theirs) out.theirs += whole;
      if (part == Part::common || part == Part::base) base += whole;
    }
  }
  if (part != Part::common) {
    number = opened;
    stray("<<<<<<<");
  }
  if (all_have_base) out.base = std::move(base);
  return out;
}

Lock parse_previous_lock(std::string_view text, const std::string& name, bool* mended) {
  const bool conflict = has_conflict_markers(text);
  if (mended != nullptr) *mended = conflict;
  if (!conflict) return parse_lock(text, name);
  const ConflictSides sides = split_conflicts(text, name);
  Lock out =
      merge_locks(sides.base ? side(*sides.base, name) : Lock(), side(sides.ours, name), side(sides.theirs, name)).lock;
  out.input_digest.clear();
  return out;
}

Lock read_previous_lock(const Path& path, bool* mended) {
  return parse_previous_lock(read_file(path, kMaxLockBytes), path.string(), mended);
}

}  // namespace dae::resolver
