#include "resolver/lock/project.h"

#include <fmt/format.h>

#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "base/value.h"
#include "resolver/lock/requirements_txt.h"
#include "resolver/standards/names.h"

namespace dae::resolver {

namespace {

constexpr uint64_t kMaxProjectBytes = 4ull << 20;
constexpr const char* kPyproject = "pyproject.toml";
constexpr const char* kRequirementsTxt = "pip-req.txt";

const Value::Array& array_of(const Reader& reader, const Value& value, std::string_view what) {
  if (!value.is_array())
    throw reader.error_at(value, fmt::format("`{}` must be a list, found {}", what, value.type_name()));
  return value.as_array();
}

RootRequirement root_requirement(const Reader& reader, const Value& item, const std::string& file) {
  if (!item.is_string()) throw reader.error_at(item, fmt::format("expected a requirement, found {}", item.type_name()));
  try {
    return {Requirement::parse(item.as_string()), fmt::format("{}:{}", file, item.position.line)};
  } catch (const Error& error) {
    throw reader.error_at(item, fmt::format("`{}`: {}", item.as_string(), error.message()), error.hint());
  }
}

// [dependency-groups] (PEP 735): groups are expanded only when asked for, so an error in another one does no harm.
class Groups {
 public:
  Groups(const Reader& reader, std::string file) : reader_(reader), file_(std::move(file)) {
    for (const auto& [name, value] : reader.value().as_object()) {
      const auto [other, is_new] = groups_.emplace(normalize_name(name), &value);
      if (!is_new)
        throw reader.error_at(value, fmt::format("group `{}` is there twice under one normalised name", name));
    }
  }

  bool has(const std::string& name) const { return groups_.count(name) != 0; }

  void expand(const std::string& name, std::vector<RootRequirement>& out) {
    if (!open_.insert(name).second) {
      throw reader_.error_at(*groups_.at(name), fmt::format("group `{}` includes itself", name));
    }
    for (const Value& item : array_of(reader_, *groups_.at(name), name)) {
      if (!item.is_object()) {
        out.push_back(root_requirement(reader_, item, file_));
        continue;
      }
      Reader include(reader_.file(), item, name);
      const std::string other = normalize_name(include.required_string("include-group"));
      include.finish();
      if (!has(other)) throw reader_.error_at(item, fmt::format("there is no group `{}`", other));
      expand(other, out);
    }
    open_.erase(name);
  }

 private:
  const Reader& reader_;
  std::string file_;
  std::map<std::string, const Value*> groups_;
  std::set<std::string> open_;
};

ProjectFile parse_pyproject(const Path& path, const std::string& text) {
  ProjectFile out;
  out.path = path;
  const std::string file = path.filename().string();
  const Document document = parse_toml(text, path.string());
  Reader reader(document);
  auto project = reader.object("project");
  if (!project) {
    throw Error(ErrorKind::not_found, "there is no [project] table", path.string(),
                "add one with a name and dependencies");
  }
  out.name = project->string("name");
  out.version = project->string("version");
  out.requires_python = project->string("requires-python");
  if (!out.requires_python.empty() && !SpecifierSet::try_parse(out.requires_python)) {
    throw project->error_at(*project->optional("requires-python"),
                            fmt::format("`{}` is no version specifier", out.requires_python));
  }
  if (const Value* dependencies = project->optional("dependencies")) {
    for (const Value& item : array_of(*project, *dependencies, "project.dependencies")) {
      out.requirements.push_back(root_requirement(*project, item, file));
    }
  }
  if (auto tables = reader.object("dependency-groups")) {
    Groups groups(*tables, file);
    if (groups.has("dev")) groups.expand("dev", out.dev);
  }
  return out;
}

bool is_toml(const Path& path) {
  return path.extension() == ".toml";
}

}  // namespace

ProjectFile parse_project(const Path& path, const std::string& text) {
  if (is_toml(path)) return parse_pyproject(path, text);
  ProjectFile out;
  out.path = path;
  read_requirements_txt(path, path.filename().string(), text, out);
  return out;
}

ProjectFile read_project(const Path& app_dir) {
  const Path toml = app_dir / kPyproject;
  const auto text = read_file_if_exists(toml, kMaxProjectBytes);
  if (text && parse_toml(*text, toml.string()).root.find("project") != nullptr) return parse_project(toml, *text);
  const Path requirements = app_dir / kRequirementsTxt;
  if (const auto lines = read_file_if_exists(requirements, kMaxProjectBytes))
    return parse_project(requirements, *lines);
  throw Error(ErrorKind::not_found,
              text ? "`pyproject.toml` has no [project] table and there is no `pip-req.txt`"
                   : "there is neither `pyproject.toml` nor `pip-req.txt`",
              app_dir.string(), "`dae create` makes an app; a [project] table with `dependencies` is enough");
}

}  // namespace dae::resolver
