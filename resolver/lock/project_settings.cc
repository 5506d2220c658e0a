#include "resolver/lock/project_settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "resolver/lock/project_sources.h"
#include "resolver/standards/names.h"

namespace dae::resolver {

namespace {

// One of a few words. `words` has the values in the order of the enumeration.
template <typename Enum>
void read_choice(Reader& table, const char* key, const std::vector<std::string>& words, Enum& out) {
  const Value* value = table.optional(key);
  if (!value) return;
  const std::string word = table.string(key);
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) {
    const std::string near = nearest_name(word, words);
    throw table.error_at(*value, fmt::format("`{}` must be one of {}", key, join(words, ", ")),
                         near.empty() ? "" : fmt::format("did you mean `{}`?", near));
  }
  out = static_cast<Enum>(found - words.begin());
}

std::vector<std::string> names_of(Reader& table, const char* key, bool all_too) {
  std::vector<std::string> out;
  const Value* value = table.optional(key);
  for (const std::string& name : table.strings(key)) {
    if (all_too && name == ":all:") {
      out.push_back(name);
    } else if (is_valid_name(name)) {
      out.push_back(normalize_name(name));
    } else {
      throw table.error_at(*value, fmt::format("`{}` in `{}` is no name{}", name, key, all_too ? " or `:all:`" : ""));
    }
  }
  return out;
}

void read_index(const Reader& table, const Value& item, ProjectSettings& out) {
  Reader entry(table.file(), item, "tool.dae.indexes");
  ProjectSettings::Index index;
  index.name = entry.required_string("name");
  index.url = entry.required_string("url");
  index.pinned_only = entry.boolean("pinned-only", false);
  entry.finish();
  const std::string scheme = lower(index.url.substr(0, index.url.find(':')));
  if (scheme != "https" && scheme != "http" && scheme != "file") {
    throw entry.error_at(*entry.optional("url"),
                         fmt::format("the URL of index `{}` begins with no http or https", index.name));
  }
  const bool is_twice = std::any_of(out.indexes.begin(), out.indexes.end(),
                                    [&](const ProjectSettings::Index& other) { return other.name == index.name; });
  if (is_twice) throw entry.error_at(item, fmt::format("index `{}` is there twice", index.name));
  out.indexes.push_back(std::move(index));
}

void read_indexes(Reader& table, ProjectSettings& out) {
  if (const Value* list = table.optional("indexes")) {
    if (!list->is_array()) throw table.error_at(*list, "`tool.dae.indexes` must be a list of tables");
    for (const Value& item : list->as_array()) read_index(table, item, out);
  }
  auto pins = table.object("index-of");
  if (!pins) return;
  for (const auto& [package, value] : pins->value().as_object()) {
    if (!is_valid_name(package)) throw pins->error_at(value, fmt::format("`{}` is no name of a package", package));
    pin_to_index(*pins, value, package, pins->string(package), out);
  }
}

bool is_relative_age(const std::string& text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > 6) return false;
  const std::string unit = lower(trim(std::string_view(text).substr(digits)));
  const std::vector<std::string> units = {"d", "day",    "days",    "h", "hour", "hours",
                                          "m", "minute", "minutes", "w", "week", "weeks"};
  return std::find(units.begin(), units.end(), unit) != units.end();
}

bool is_moment(const std::string& text) {
  try {
    parse_utc(text.size() == 10 ? text + "T00:00:00Z" : text);
    return true;
  } catch (const Error&) {
    return false;
  }
}

void read_cutoff(Reader& table, ProjectSettings& out) {
  const Value* value = table.optional("exclude-newer");
  if (!value) return;
  out.exclude_newer = table.string("exclude-newer");
  if (is_relative_age(out.exclude_newer) || is_moment(out.exclude_newer)) return;
  throw table.error_at(*value, fmt::format("`{}` is no date", out.exclude_newer),
                       "write `2026-01-31`, `2026-01-31T12:00:00Z` or an age such as `7 days`");
}

void read_default_groups(Reader& table, const ProjectFile& project, ProjectSettings& out) {
  const Value* value = table.optional("default-groups");
  if (!value) return;
  out.default_groups = names_of(table, "default-groups", false);
  for (const std::string& name : out.default_groups) {
    if (project.groups.contains(name) || project.broken_groups.contains(name)) continue;
    throw table.error_at(*value, fmt::format("there is no dependency group `{}`", name));
  }
}

}  // namespace

std::vector<RootRequirement> requirement_list(const Reader& reader, const Value& list, std::string_view what,
                                              const std::string& file, const std::string& scope) {
  if (!list.is_array()) {
    throw reader.error_at(list, fmt::format("`{}` must be a list, found {}", what, list.type_name()));
  }
  std::vector<RootRequirement> out;
  for (const Value& item : list.as_array()) {
    if (!item.is_string()) {
      throw reader.error_at(item, fmt::format("expected a requirement, found {}", item.type_name()));
    }
    try {
      out.push_back(
          {Requirement::parse(item.as_string()), fmt::format("{}:{}", file, item.position.line), false, scope});
    } catch (const Error& error) {
      throw reader.error_at(item, fmt::format("`{}`: {}", item.as_string(), error.message()), error.hint());
    }
  }
  return out;
}

void read_project_settings(Reader& table, const std::string& file, ProjectFile& out) {
  ProjectSettings& settings = out.settings;
  for (auto& [key, list] : {std::pair("constraints", &out.constraints), std::pair("overrides", &out.overrides)}) {
    const Value* value = table.optional(key);
    if (value) *list = requirement_list(table, *value, fmt::format("tool.dae.{}", key), file, "");
  }
  read_indexes(table, settings);
  settings.find_links = table.strings("find-links");
  settings.no_index = table.boolean("no-index", false);
  read_choice(table, "prereleases", {"if-necessary", "allow", "disallow"}, settings.prereleases);
  read_choice(table, "selection", {"highest", "lowest", "lowest-direct"}, settings.selection);
  read_cutoff(table, settings);
  settings.no_binary = names_of(table, "no-binary", true);
  settings.only_binary = names_of(table, "only-binary", true);
  read_default_groups(table, out, settings);
  if (auto audit = table.object("audit")) settings.audit_ignores = read_audit_ignores(*audit, file);
  if (auto sources = table.object("sources")) read_sources(*sources, file, out);
  table.finish();
}

}  // namespace dae::resolver
