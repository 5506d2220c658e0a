#include "builder/app_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "builder/app_reader.h"
#include "hooks/hooks.h"
#include "mirror/artifact/app_rules.h"
#include "resolver/standards/specifier.h"

namespace dae::builder {

namespace {

using namespace app_reader;

constexpr const char* kFileName = "app.yaml";

bool is_specifier(std::string_view text) {
  return resolver::SpecifierSet::try_parse(text).has_value();
}

void read_targets(Reader& root, mirror::AppConfig& out) {
  const Value* list = root.optional("targets");
  if (!list) return;
  if (!list->is_array())
    throw root.error_at(*list, fmt::format("`targets` must be a list, found {}", list->type_name()));
  for (const Value& item : list->as_array()) {
    Reader reader(root.file(), item, fmt::format("targets[{}]", out.targets.size()));
    const std::string python = reader.required_string("python");
    require(reader, reader.required("python"), mirror::is_python_minor, python, "a Python version", "write `\"3.11\"`");
    const std::string platform = reader.required_string("platform");
    require(reader, reader.required("platform"), mirror::is_platform, platform, "a platform tag",
            "as in a wheel's name: `manylinux_2_36_x86_64`");
    reader.finish();
    const std::pair<std::string, std::string> target{python, platform};
    if (std::find(out.targets.begin(), out.targets.end(), target) != out.targets.end()) {
      throw root.error_at(item, fmt::format("target `{} {}` is listed twice", python, platform));
    }
    out.targets.push_back(target);
  }
}

void read_env(Reader& root, mirror::AppConfig& out) {
  out.env = root.string_map("env");
  if (out.env.empty()) return;
  for (const auto& [name, value] : root.required("env").as_object()) {
    require(root, at_key(value), mirror::is_env_name, name, "the name of an environment variable");
    if (name.starts_with("DAE_") || name == "PORT") {
      throw root.error_at(at_key(value), fmt::format("`{}` is set by dae itself", name));
    }
    if (value.as_string().find('\0') != std::string::npos) throw root.error_at(value, "a value holds a NUL character");
  }
}

std::vector<std::string> read_names(Reader& root, std::string_view key, bool (*test)(std::string_view),
                                    const std::string& what) {
  const std::vector<std::string> out = root.strings(key);
  std::set<std::string> seen;
  for (size_t i = 0; i < out.size(); ++i) {
    const Value& list = *root.value().find(key);
    const Value& node = list.is_array() ? list.as_array()[i] : list;
    require(root, node, test, out[i], what);
    if (!seen.insert(out[i]).second) throw root.error_at(node, fmt::format("`{}` is listed twice", out[i]));
  }
  return out;
}

void read_static(Reader& root, mirror::AppConfig& out) {
  out.static_files = root.string_map("static");
  if (out.static_files.empty()) return;
  for (const auto& [prefix, directory] : root.required("static").as_object()) {
    require(root, at_key(directory), mirror::is_url_prefix, prefix, "a URL prefix",
            "it starts with `/` and holds letters, digits, `-`, `_`, `.`, `~`");
    require(root, directory, mirror::is_inner_path, directory.as_string(), "a folder inside the app");
  }
}

void read_hooks(Reader& root, mirror::AppConfig& out) {
  auto reader = root.object("hooks");
  if (!reader) return;
  for (const std::string& point : hooks::hook_points()) {
    if (reader->has(point)) out.hooks[point] = commands(*reader, point);
    reader->optional(point);
  }
  reader->finish();
}

void read_gateway(Reader& root, mirror::AppConfig& out) {
  auto reader = root.object("gateway");
  if (!reader) return;
  out.gateway_hosts = read_names(*reader, "hosts", mirror::is_host_name, "a host name");
  refuse_unsupported(*reader, {"template", "hooks"});
  reader->finish();
}

void read_build(Reader& root, AppFile& out) {
  if (auto build = root.object("build")) {
    out.exclude = read_names(*build, "exclude", mirror::is_inner_path, "a pattern inside the app");
    out.build_steps = commands(*build, "steps");
    build->finish();
  }
  if (auto ci = root.object("ci")) {
    out.ci_steps = commands(*ci, "steps");
    out.ci_reports = read_names(*ci, "reports", mirror::is_inner_path, "a file inside the app");
    ci->finish();
  }
}

void remember_positions(const Value& value, const std::string& where, std::map<std::string, Position>& out) {
  if (!where.empty()) out[where] = value.position;
  if (!value.is_object()) return;
  for (const auto& [key, member] : value.as_object())
    remember_positions(member, where.empty() ? key : where + "." + key, out);
}

// As a user would name it: `app.yaml` in the current folder, else the whole path.
std::string shown_name(const Path& file) {
  std::error_code ignored;
  const Path here = std::filesystem::current_path(ignored);
  return file.parent_path() == here ? file.filename().string() : file.string();
}

}  // namespace

AppFile parse_app_file(const Document& document, const Path& dir) {
  Reader root(document);
  AppFile out;
  out.dir = dir;
  out.file = document.name;
  mirror::AppConfig& config = out.config;
  config.name = root.required_string("name");
  require(root, root.required("name"), mirror::is_app_name, config.name, "an app's name",
          "a lower-case letter, then at most 62 lower-case letters, digits and `-`");
  config.python = root.string("python");
  if (const Value* python = root.optional("python")) {
    require(root, *python, is_specifier, config.python, "a version specifier", "write `\">=3.11,<3.13\"`");
  }
  read_targets(root, config);
  config.instances = read_instances(root);
  read_env(root, config);
  config.resources = read_names(root, "resources", mirror::is_instance_name, "a resource's name");
  out.protected_files = read_names(root, "protected_files", mirror::is_inner_path, "a pattern inside the app");
  read_static(root, config);
  read_gateway(root, config);
  read_build(root, out);
  read_hooks(root, config);
  config.stages = read_rollout(root);
  root.finish();
  remember_positions(document.root, "", out.positions);
  return out;
}

AppFile find_app_file(const Path& start) {
  Path dir = std::filesystem::absolute(start).lexically_normal();
  if (!dir.has_filename()) dir = dir.parent_path();
  for (;;) {
    const Path file = dir / kFileName;
    if (const auto text = read_file_if_exists(file, 1u << 20))
      return parse_app_file(parse_yaml(*text, shown_name(file)), dir);
    if (dir == dir.parent_path()) break;
    dir = dir.parent_path();
  }
  throw Error(ErrorKind::not_found, "no `app.yaml` here or in a folder above", start.string(),
              "start an app with `dae create NAME`");
}

}  // namespace dae::builder
