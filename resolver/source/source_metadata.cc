// What a source tree states about itself without being built.
#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "base/value.h"
#include "resolver/source/source_tree.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/names.h"
#include "resolver/standards/requirement.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMaxFileBytes = 4 << 20;
constexpr const char* kNeeded[] = {"version", "requires-python", "dependencies", "optional-dependencies"};

[[noreturn]] void broken(const Document& document, const Value& where, const std::string& message) {
  throw Error(ErrorKind::bad_input, message,
              document.name + ":" + std::to_string(where.position.line) + ":" + std::to_string(where.position.column));
}

// "x>=1; os_name == 'nt'" as a dependency of the extra.
std::string of_extra(const Requirement& requirement, const std::string& text, const std::string& extra) {
  const std::string condition = "extra == \"" + extra + "\"";
  Requirement bare = requirement;
  bare.marker = Marker();
  // "; " ends a URL only after a blank.
  const std::string head = bare.text() + (bare.url.empty() ? "; " : " ; ");
  const size_t mark = requirement.url.empty() ? text.find(';') : text.find(" ;");
  if (mark == std::string::npos) return head + condition;
  return head + "(" + std::string(trim(text.substr(text.find(';', mark) + 1))) + ") and " + condition;
}

std::string requires_dist(const Document& document, const Value& item, const std::string& extra) {
  if (!item.is_string()) broken(document, item, "a requirement has to be a string");
  try {
    const Requirement requirement = Requirement::parse(item.as_string());
    const std::string text = extra.empty() ? item.as_string() : of_extra(requirement, item.as_string(), extra);
    if (text.find_first_of("\r\n") != std::string::npos) broken(document, item, "a requirement has one line");
    return "Requires-Dist: " + text + "\n";
  } catch (const Error& error) {
    broken(document, item, error.message());
  }
}

bool all_static(const Value& project) {
  const std::vector<std::string> dynamic = project.get_strings("dynamic");
  return std::ranges::none_of(kNeeded, [&](const char* field) { return std::ranges::count(dynamic, field) > 0; });
}

std::string plain(const Document& document, const Value& project, const std::string& key) {
  const Value* value = project.find(key);
  if (value == nullptr) return "";
  if (!value->is_string() || value->as_string().find_first_of("\r\n") != std::string::npos) {
    broken(document, *value, "`project." + key + "` has to be a string of one line");
  }
  return value->as_string();
}

}  // namespace

std::optional<std::string> pyproject_metadata(const Path& project_dir, const std::string& label) {
  const auto text = read_file_if_exists(project_dir / "pyproject.toml", kMaxFileBytes);
  return text ? metadata_of_pyproject(*text, label + "/pyproject.toml") : std::nullopt;
}

std::optional<std::string> metadata_of_pyproject(std::string_view text, const std::string& label) {
  const Document document = parse_toml(text, label);
  const Value* project = document.root.find("project");
  if (project == nullptr || !project->is_object() || !all_static(*project)) return std::nullopt;
  const std::string name = plain(document, *project, "name"), version = plain(document, *project, "version");
  if (name.empty() || version.empty()) return std::nullopt;  // the back end will say what is wrong with it
  if (!is_valid_name(name)) broken(document, project->at("name"), "not a name of a project: `" + name + "`");
  std::string out = "Metadata-Version: 2.2\nName: " + name + "\nVersion: " + version + "\n";
  if (const std::string python = plain(document, *project, "requires-python"); !python.empty()) {
    out += "Requires-Python: " + python + "\n";
  }
  if (const Value* list = project->find("dependencies")) {
    if (!list->is_array()) broken(document, *list, "`project.dependencies` has to be a list");
    for (const Value& item : list->as_array()) out += requires_dist(document, item, "");
  }
  if (const Value* extras = project->find("optional-dependencies")) {
    if (!extras->is_object()) broken(document, *extras, "`project.optional-dependencies` has to be a table");
    for (const auto& [key, list] : extras->as_object()) {
      if (!is_valid_name(key) || !list.is_array()) broken(document, list, "`" + key + "` is not an extra with a list");
      const std::string extra = normalize_name(key);
      out += "Provides-Extra: " + extra + "\n";
      for (const Value& item : list.as_array()) out += requires_dist(document, item, extra);
    }
  }
  return out;
}

std::optional<std::string> sdist_metadata(const Path& project) {
  const auto text = read_file_if_exists(project / "PKG-INFO", kMaxFileBytes);
  return text && is_final_pkg_info(*text) ? text : std::nullopt;
}

bool is_final_pkg_info(std::string_view text) {
  try {
    const CoreMetadata metadata = parse_core_metadata(text, "PKG-INFO");
    const auto version = Version::try_parse(metadata.metadata_version);
    if (!version || *version < Version::parse("2.2")) return false;
    return std::ranges::none_of(metadata.dynamic, [](const std::string& field) {
      return field == "version" || field == "requires-dist" || field == "provides-extra" || field == "requires-python";
    });
  } catch (const Error&) {
    return false;  // a build may do better
  }
}

}  // namespace dae::resolver
