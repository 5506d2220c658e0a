// Edits of the direct requirements, as text: everything outside the lines concerned stays byte for byte.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "resolver/lock/project.h"
#include "resolver/lock/requirements_txt.h"
#include "resolver/lock/toml_array.h"
#include "resolver/standards/names.h"

namespace dae::resolver {

namespace {

constexpr size_t npos = std::string::npos;
constexpr const char* kIndent = "    ";

std::string line_break(const std::string& text) {
  return text.find("\r\n") == npos ? "\n" : "\r\n";
}

size_t line_start(const std::string& text, size_t at) {
  const size_t before = at == 0 ? npos : text.rfind('\n', at - 1);
  return before == npos ? 0 : before + 1;
}

// Behind the line break.
size_t line_end(const std::string& text, size_t at) {
  const size_t stop = text.find('\n', at);
  return stop == npos ? text.size() : stop + 1;
}

bool is_blank(const std::string& text, size_t from, size_t to) {
  return text.find_first_not_of(" \t\r\n", from) >= to;
}

std::optional<Requirement> requirement_of(const TomlArray::Item& item) {
  if (!item.is_string) return std::nullopt;
  try {
    return Requirement::parse(item.text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// An item, its comma, and its line when it stands alone there (with the comment behind it).
void erase_item(std::string& text, const TomlArray& array, size_t index) {
  const TomlArray::Item& item = array.items[index];
  size_t begin = item.begin;
  size_t end = item.comma == TomlArray::Item().comma ? item.end : item.comma + 1;
  const size_t start = line_start(text, begin);
  const size_t stop = line_end(text, end);
  const size_t after = text.find_first_not_of(" \t\r", end);
  const bool alone = is_blank(text, start, begin) && start > array.open &&
                     (after == npos || text[after] == '\n' || text[after] == '#');
  if (alone) {
    begin = start;
    end = stop;
  } else if (index + 1 < array.items.size()) {
    const size_t next = text.find_first_not_of(" \t", end);
    if (next != npos && text[next] != '\n' && text[next] != '\r' && text[next] != '#') end = next;
  } else {
    // The last one of a line takes the comma before it along.
    if (index > 0) begin = array.items[index - 1].end;
  }
  text.erase(begin, end - begin);
}

// Appends to an array whose brackets stand on different lines.
void append_on_own_line(std::string& text, const TomlArray& array, const std::string& value) {
  std::string indent = kIndent;
  size_t place = line_start(text, array.close);
  const bool own_line = is_blank(text, place, array.close);  // of the closing bracket
  if (!own_line) place = array.close;
  if (!array.items.empty()) {
    const TomlArray::Item& last = array.items.back();
    const size_t start = line_start(text, last.begin);
    if (is_blank(text, start, last.begin)) indent = text.substr(start, last.begin - start);
  }
  std::string line = indent + value + "," + line_break(text);
  if (!own_line) line = line_break(text) + line;
  text.insert(place, line);
  if (!array.items.empty() && array.items.back().comma == TomlArray::Item().comma) {
    text.insert(array.items.back().end, ",");
  }
}

void append_item(std::string& text, const TomlArray& array, const std::string& requirement) {
  const char quote = array.items.empty() ? '"' : text[array.items.back().begin];
  const std::string value = toml_quote(requirement, quote == '\'' ? '\'' : '"');
  if (text.substr(array.open, array.close - array.open).find('\n') != npos) {
    append_on_own_line(text, array, value);
  } else if (array.items.empty()) {
    const std::string nl = line_break(text);
    text.replace(array.open, array.close + 1 - array.open, "[" + nl + kIndent + value + "," + nl + "]");
  } else {
    const TomlArray::Item& last = array.items.back();
    const bool comma = last.comma != TomlArray::Item().comma;
    text.insert(comma ? last.comma + 1 : last.end, comma ? " " + value + "," : ", " + value);
  }
}

// The table and the key of the list an edit goes to.
struct ListPlace {
  std::string table, key;

  explicit ListPlace(const EditTarget& target) {
    if (target.kind == EditTarget::Kind::dependencies) {
      table = "project";
      key = "dependencies";
      return;
    }
    if (!is_valid_name(target.name)) {
      throw Error(ErrorKind::usage, fmt::format("`{}` is no name of a group or an extra", target.name));
    }
    table = target.kind == EditTarget::Kind::extra ? "project.optional-dependencies" : "dependency-groups";
    key = target.name;
  }

  std::optional<TomlArray> find(const std::string& text) const {
    // Groups and extras go by any spelling of their name; `dependencies` is a key like any other.
    return find_toml_array(text, table, [this](std::string_view found) {
      return table == "project" ? found == key : normalize_name(found) == normalize_name(key);
    });
  }
};

void insert_line(std::string& text, size_t at, const std::string& line) {
  const std::string nl = line_break(text);
  const bool starts_line = at == 0 || text[at - 1] == '\n';
  text.insert(at, (starts_line ? "" : nl) + line + nl);
}

[[noreturn]] void refuse_form(const ProjectFile& project, const std::string& table) {
  throw Error(ErrorKind::refused, fmt::format("[{}] is not written as a table of its own", table),
              project.path.string(), "add the requirement by hand, then run `dae install`");
}

// Makes an empty list where there is none.
void make_list(std::string& text, const ProjectFile& project, const ListPlace& place) {
  const std::string line = toml_key(place.key) + " = []";
  const TomlTableForm form = toml_table_form(text, place.table);
  if (form == TomlTableForm::header) return insert_line(text, *end_of_toml_table(text, place.table), line);
  const std::string nl = line_break(text);
  if (place.table == "dependency-groups" && form == TomlTableForm::absent) {
    return insert_line(text, text.size(), (text.empty() ? "" : nl) + "[dependency-groups]" + nl + line);
  }
  const auto end = end_of_toml_table(text, "project");
  if (!end || place.table != "project.optional-dependencies" || form == TomlTableForm::inline_value) {
    refuse_form(project, place.table);
  }
  if (form == TomlTableForm::dotted) return insert_line(text, *end, "optional-dependencies." + line);
  insert_line(text, *end, nl + "[" + place.table + "]" + nl + line);
}

TomlArray list_for(std::string& text, const ProjectFile& project, const ListPlace& place) {
  if (const auto array = place.find(text)) return *array;
  make_list(text, project, place);
  if (const auto array = place.find(text)) return *array;
  refuse_form(project, place.table);
}

void add_to_toml(std::string& text, const ProjectFile& project, const std::string& requirement,
                 const ListPlace& place) {
  const Requirement wanted = Requirement::parse(requirement);
  const TomlArray array = list_for(text, project, place);
  std::vector<size_t> same;
  std::vector<Requirement> present;
  for (size_t i = 0; i < array.items.size(); ++i) {
    const auto parsed = requirement_of(array.items[i]);
    if (!parsed || parsed->key != wanted.key) continue;
    same.push_back(i);
    present.push_back(*parsed);
  }
  if (same.empty()) return append_item(text, array, requirement);
  const EditPlan plan = plan_edit(present, wanted);
  for (size_t i = same.size(); i-- > 0;) {
    const TomlArray::Item& item = array.items[same[i]];
    if (plan.replace == i) {
      text.replace(item.begin, item.end - item.begin, toml_quote(requirement, text[item.begin]));
    } else if (plan.erase[i]) {
      erase_item(text, array, same[i]);
    }
  }
}

bool remove_from_toml(std::string& text, const ListPlace& place, const std::string& name) {
  bool removed = false;
  // One at a time: offsets are good for one edit only.
  while (const auto array = place.find(text)) {
    size_t index = 0;
    for (; index < array->items.size(); ++index) {
      const auto parsed = requirement_of(array->items[index]);
      if (parsed && parsed->key == name) break;
    }
    if (index == array->items.size()) break;
    erase_item(text, *array, index);
    removed = true;
  }
  return removed;
}

bool is_toml(const ProjectFile& project) {
  return project.path.extension() == ".toml";
}

void refuse_target(const ProjectFile& project, const EditTarget& target) {
  if (target.kind == EditTarget::Kind::dependencies) return;
  throw Error(ErrorKind::usage,
              target.kind == EditTarget::Kind::extra ? "a requirements file has no extras"
                                                     : "a requirements file has no dependency groups",
              project.path.string(), "they are part of `pyproject.toml`");
}

}  // namespace

std::string with_requirements(const ProjectFile& project, const std::string& file_text,
                              const std::vector<std::string>& requirements, const EditTarget& target) {
  if (!is_toml(project)) {
    refuse_target(project, target);
    return requirements_txt_with(file_text, requirements);
  }
  parse_project(project.path, file_text);
  std::string text = file_text;
  for (const std::string& requirement : requirements) add_to_toml(text, project, requirement, ListPlace(target));
  parse_project(project.path, text);  // an edit that breaks the file must never be written
  return text;
}

std::string without_requirements(const ProjectFile& project, const std::string& file_text,
                                 const std::vector<std::string>& names, const std::optional<EditTarget>& target) {
  if (!is_toml(project)) {
    refuse_target(project, target.value_or(EditTarget()));
    return requirements_txt_without(file_text, names);
  }
  parse_project(project.path, file_text);
  std::vector<ListPlace> places = {ListPlace(target.value_or(EditTarget()))};
  if (!target) places.push_back(ListPlace({EditTarget::Kind::group, "dev"}));
  std::string text = file_text;
  for (const std::string& name : names) {
    bool removed = false;
    for (const ListPlace& place : places) removed = remove_from_toml(text, place, normalize_name(name)) || removed;
    if (removed) continue;
    throw Error(ErrorKind::not_found,
                target && target->kind != EditTarget::Kind::dependencies
                    ? fmt::format("`{}` is not in [{}] {}", name, places[0].table, places[0].key)
                    : fmt::format("`{}` is not among the direct requirements", name),
                project.path.string(), "`dae why` tells what pulls a package in");
  }
  parse_project(project.path, text);
  return text;
}

}  // namespace dae::resolver
