#include "resolver/lock/project.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "base/value.h"
#include "resolver/lock/project_settings.h"
#include "resolver/lock/requirements_txt.h"
#include "resolver/standards/dependency_groups.h"
#include "resolver/standards/names.h"

namespace dae::resolver {

namespace {

constexpr uint64_t kMaxProjectBytes = 4ull << 20;
constexpr const char* kPyproject = "pyproject.toml";
constexpr const char* kRequirementsTxt = "pip-req.txt";

// [project] (formerly PEP 621), [dependency-groups] and [tool.dae].
class PyprojectReader {
 public:
  PyprojectReader(const Document& document, const Path& path, ProjectFile& out)
      : root_(document), path_(path), file_(path.filename().string()), out_(out) {}

  void read() {
    auto project = root_.object("project");
    if (!project) {
      throw Error(ErrorKind::not_found, "there is no [project] table", path_.string(),
                  "add one with a name and dependencies");
    }
    read_identity(*project);
    read_dynamic(*project);
    if (const Value* list = project->optional("dependencies")) {
      out_.requirements = requirement_list(*project, *list, "project.dependencies", file_, "");
    }
    if (auto extras = project->object("optional-dependencies")) read_extras(*extras);
    read_groups();
    if (auto tool = root_.object("tool")) {
      if (auto ours = tool->object("dae")) read_project_settings(*ours, file_, out_);
    }
    check_default_groups();
  }

 private:
  void read_identity(Reader& project) {
    out_.name = project.string("name");
    out_.version = project.string("version");
    out_.requires_python = project.string("requires-python");
    if (!out_.name.empty() && !is_valid_name(out_.name)) {
      throw project.error_at(*project.optional("name"), fmt::format("`{}` is no name of a project", out_.name));
    }
    if (!SpecifierSet::try_parse(out_.requires_python)) {
      throw project.error_at(*project.optional("requires-python"),
                             fmt::format("`{}` is no version specifier", out_.requires_python),
                             out_.requires_python.find_first_of("<>=!~") == std::string::npos
                                 ? fmt::format("write `>={}`", out_.requires_python)
                                 : "");
    }
  }

  void read_dynamic(Reader& project) {
    const Value* dynamic = project.optional("dynamic");
    if (!dynamic) return;
    for (const Value& item : dynamic->is_array() ? dynamic->as_array() : Value::Array{*dynamic}) {
      if (!item.is_string()) throw project.error_at(item, "`project.dynamic` must be a list of names of fields");
      const std::string& field = item.as_string();
      if (field != "dependencies" && field != "optional-dependencies") continue;
      if (project.has(field)) {
        throw project.error_at(item, fmt::format("`{}` is listed as dynamic and has a value too", field));
      }
      if (field == "dependencies") {
        throw project.error_at(item, "the dependencies are dynamic: only a build could tell them",
                               "list them under `dependencies` of [project]");
      }
      out_.warnings.push_back(fmt::format("{}:{}:{}: the extras are dynamic: none of them is known", file_,
                                          item.position.line, item.position.column));
    }
  }

  void read_extras(const Reader& extras) {
    for (const auto& [name, list] : extras.value().as_object()) {
      if (!is_valid_name(name)) throw extras.error_at(list, fmt::format("`{}` is no name of an extra", name));
      const std::string key = normalize_name(name);
      if (out_.extras.contains(key)) {
        throw extras.error_at(list, fmt::format("extra `{}` is there twice under one normalised name", name));
      }
      out_.extras[key] =
          requirement_list(extras, list, fmt::format("project.optional-dependencies.{}", name), file_, "extra:" + key);
    }
  }

  void read_groups() {
    const auto tables = root_.object("dependency-groups");
    if (!tables) return;
    const DependencyGroups groups(*tables);
    for (const std::string& name : groups.names()) {
      try {
        std::vector<RootRequirement> list;
        for (const auto& item : groups.expand(name)) {
          list.push_back({item.requirement, fmt::format("{}:{}", file_, item.position.line), false, "group:" + name});
        }
        out_.groups[name] = std::move(list);
      } catch (const Error& error) {
        out_.broken_groups.emplace(name, error);
      }
    }
  }

  // These are in use, whoever asks for what.
  void check_default_groups() {
    for (const std::string& name : out_.settings.default_groups) {
      if (const auto broken = out_.broken_groups.find(name); broken != out_.broken_groups.end()) throw broken->second;
    }
    if (const auto dev = out_.groups.find("dev"); dev != out_.groups.end()) out_.dev = dev->second;
  }

  Reader root_;
  const Path& path_;
  const std::string file_;
  ProjectFile& out_;
};

// "app[test]" among the requirements of `app` itself: what its extra `test` asks for (the usual way to put extras
// together). Circles are no harm: each extra is taken once.
class OwnExtras {
 public:
  explicit OwnExtras(const ProjectFile& project) : project_(project), key_(normalize_name(project.name)) {}

  std::vector<RootRequirement> expand(const std::vector<RootRequirement>& list) {
    std::vector<RootRequirement> out;
    for (const RootRequirement& root : list) add(root, out);
    taken_.clear();
    return out;
  }

 private:
  void add(const RootRequirement& root, std::vector<RootRequirement>& out) {
    if (key_.empty() || root.requirement.key != key_ || !root.requirement.url.empty()) {
      out.push_back(root);
      return;
    }
    const std::string condition = root.requirement.marker.text();
    for (const std::string& extra : root.requirement.extras) {
      const auto found = project_.extras.find(extra);
      if (found == project_.extras.end()) {
        throw Error(ErrorKind::bad_input, fmt::format("the project has no extra `{}`", extra), root.origin);
      }
      if (!taken_.insert(extra + ";" + condition).second) continue;
      for (RootRequirement inner : found->second) {
        inner.scope = root.scope;
        inner.requirement.marker = both(inner.requirement.marker, root.requirement.marker);
        add(inner, out);
      }
    }
  }

  static Marker both(const Marker& a, const Marker& b) {
    if (a.always()) return b;
    if (b.always() || a.text() == b.text()) return a;
    return Marker::parse("(" + a.text() + ") and (" + b.text() + ")");
  }

  const ProjectFile& project_;
  const std::string key_;
  std::set<std::string> taken_;
};

void expand_own_extras(ProjectFile& project) {
  const ProjectFile as_written = project;
  OwnExtras own(as_written);
  project.requirements = own.expand(as_written.requirements);
  project.dev = own.expand(as_written.dev);
  for (auto& [name, list] : project.extras) list = own.expand(as_written.extras.at(name));
  for (auto& [name, list] : project.groups) list = own.expand(as_written.groups.at(name));
}

ProjectFile parse_pyproject(const Path& path, const std::string& text) {
  ProjectFile out;
  out.path = path;
  const Document document = parse_toml(text, path.string());
  PyprojectReader(document, path, out).read();
  expand_own_extras(out);
  return out;
}

const std::vector<RootRequirement>& named(const std::map<std::string, std::vector<RootRequirement>>& lists,
                                          const std::string& name, const char* what, const ProjectFile& project) {
  const auto found = lists.find(normalize_name(name));
  if (found != lists.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, list] : lists) names.push_back(known);
  const std::string near = nearest_name(normalize_name(name), names);
  throw Error(ErrorKind::not_found, fmt::format("there is no {} `{}`", what, name), project.path.string(),
              near.empty() ? (names.empty() ? "" : "there are: " + join(names, ", "))
                           : fmt::format("did you mean `{}`?", near));
}

}  // namespace

const std::vector<RootRequirement>& requirements_of_group(const ProjectFile& project, const std::string& name) {
  if (const auto broken = project.broken_groups.find(normalize_name(name)); broken != project.broken_groups.end()) {
    throw broken->second;
  }
  return named(project.groups, name, "dependency group", project);
}

const std::vector<RootRequirement>& requirements_of_extra(const ProjectFile& project, const std::string& name) {
  return named(project.extras, name, "extra", project);
}

ProjectFile parse_project(const Path& path, const std::string& text) {
  if (path.extension() == ".toml") return parse_pyproject(path, text);
  ProjectFile out;
  out.path = path;
  read_requirements_txt(path, path.filename().string(), text, out);
  return out;
}

ProjectFile read_project(const Path& app_dir) {
  const Path toml = app_dir / kPyproject;
  const auto text = read_file_if_exists(toml, kMaxProjectBytes);
  const Value root = text ? parse_toml(*text, toml.string()).root : Value::object();
  if (root.find("project") != nullptr) return parse_project(toml, *text);
  const Path requirements = app_dir / kRequirementsTxt;
  if (const auto lines = read_file_if_exists(requirements, kMaxProjectBytes)) {
    ProjectFile out = parse_project(requirements, *lines);
    const Value* tool = root.find("tool");
    const bool ours = tool != nullptr && tool->find("dae") != nullptr;
    if (ours || root.find("dependency-groups") != nullptr) {
      out.warnings.push_back(fmt::format("{}: without a [project] table its {} is not used: {} decides", kPyproject,
                                         ours ? "[tool.dae]" : "[dependency-groups]", kRequirementsTxt));
    }
    return out;
  }
  throw Error(ErrorKind::not_found,
              text ? "`pyproject.toml` has no [project] table and there is no `pip-req.txt`"
                   : "there is neither `pyproject.toml` nor `pip-req.txt`",
              app_dir.string(), "`dae create` makes an app; a [project] table with `dependencies` is enough");
}

}  // namespace dae::resolver
