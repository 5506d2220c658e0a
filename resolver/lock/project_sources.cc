#include "resolver/lock/project_sources.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/http.h"
#include "base/strings.h"
#include "resolver/lock/requirements_txt_source.h"
#include "resolver/standards/names.h"

namespace dae::resolver {

namespace {

struct Source {
  std::string url;
  bool editable = false;
};

// "git@host:org/repo.git", git's short form of ssh addresses.
std::string full_git_address(const std::string& address) {
  const size_t at = address.find('@'), colon = address.find(':');
  if (address.find("://") != std::string::npos || at == std::string::npos || colon == std::string::npos || at > colon) {
    return address;
  }
  return "ssh://" + address.substr(0, colon) + "/" + address.substr(colon + 1);
}

std::string with_fragment(std::string url, const std::string& subdirectory) {
  if (!subdirectory.empty()) url += "#subdirectory=" + percent_encode(subdirectory, true);
  return url;
}

Source repository(Reader& entry, const Value& value, const char* vcs) {
  std::string address = entry.required_string(vcs);
  if (address.starts_with(std::string(vcs) + "+")) address.erase(0, std::string(vcs).size() + 1);
  if (std::string(vcs) == "git") address = full_git_address(address);
  if (address.find("://") == std::string::npos) {
    throw entry.error_at(*entry.optional(vcs), fmt::format("`{}` is no address of a repository", vcs),
                         fmt::format("write `{} = \"https://…\"`", vcs));
  }
  std::string revision;
  for (const char* key : {"rev", "tag", "branch"}) {
    const std::string text = entry.string(key);
    if (text.empty()) continue;
    if (!revision.empty()) throw entry.error_at(value, "only one of `rev`, `tag` and `branch` can be given");
    revision = text;
  }
  if (!revision.empty()) address += "@" + revision;
  return {with_fragment(std::string(vcs) + "+" + address, entry.string("subdirectory")), false};
}

// The address of a source; "" when it is an index.
Source read_source(Reader& entry, const Value& value, const std::string& package, ProjectSettings& settings) {
  static constexpr const char* kKinds[] = {"git", "hg", "path", "url", "index"};
  if (std::count_if(std::begin(kKinds), std::end(kKinds), [&](const char* key) { return entry.has(key); }) != 1) {
    throw entry.error_at(
        value, fmt::format("the source of `{}` must have one of `git`, `hg`, `path`, `url` and `index`", package));
  }
  if (entry.has("git")) return repository(entry, value, "git");
  if (entry.has("hg")) return repository(entry, value, "hg");
  if (entry.has("path")) {
    return {local_reference(entry.required_string("path"), {}), entry.boolean("editable", false)};
  }
  if (entry.has("url")) {
    const std::string url = entry.required_string("url");
    return {with_fragment(url, entry.string("subdirectory")), false};
  }
  pin_to_index(entry, *entry.optional("index"), package, entry.required_string("index"), settings);
  return {};
}

// All lists a direct requirement can stand in.
std::vector<std::vector<RootRequirement>*> lists_of(ProjectFile& project) {
  std::vector<std::vector<RootRequirement>*> out = {&project.requirements, &project.constraints, &project.overrides};
  for (auto* named : {&project.extras, &project.groups}) {
    for (auto& [name, list] : *named) out.push_back(&list);
  }
  return out;
}

bool apply(const Source& source, const std::string& key, ProjectFile& project) {
  bool used = false;
  for (std::vector<RootRequirement>* list : lists_of(project)) {
    for (RootRequirement& root : *list) {
      if (root.requirement.key != key) continue;
      used = true;
      if (source.url.empty() || !root.requirement.url.empty()) continue;
      root.requirement.url = source.url;
      root.requirement.specifiers = {};
      root.editable = source.editable;
    }
  }
  return used;
}

}  // namespace

void pin_to_index(const Reader& reader, const Value& value, const std::string& package, const std::string& name,
                  ProjectSettings& out) {
  std::vector<std::string> known;
  for (const ProjectSettings::Index& index : out.indexes) known.push_back(index.name);
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    const std::string near = nearest_name(name, known);
    throw reader.error_at(value, fmt::format("there is no index `{}` under `tool.dae.indexes`", name),
                          near.empty() ? "" : fmt::format("did you mean `{}`?", near));
  }
  const auto [place, is_new] = out.index_of.emplace(normalize_name(package), name);
  if (is_new || place->second == name) return;
  throw reader.error_at(value, fmt::format("`{}` is bound to index `{}` already", package, place->second));
}

void read_sources(const Reader& table, const std::string& file, ProjectFile& out) {
  for (const auto& [package, value] : table.value().as_object()) {
    if (!is_valid_name(package)) throw table.error_at(value, fmt::format("`{}` is no name of a package", package));
    if (!value.is_object()) {
      throw table.error_at(value,
                           fmt::format("the source of `{}` must be a table, found {}", package, value.type_name()));
    }
    Reader entry(table.file(), value, "tool.dae.sources." + package);
    const Source source = read_source(entry, value, package, out.settings);
    entry.finish();
    if (apply(source, normalize_name(package), out)) continue;
    out.warnings.push_back(
        fmt::format("{}:{}: `{}` has a source but is no direct requirement", file, value.position.line, package));
  }
}

}  // namespace dae::resolver
