#include "mirror/sync/settings.h"

#include <array>

#include "base/clock.h"
#include "base/strings.h"
#include "mirror/config_values.h"
#include "mirror/policy/project_globs.h"
#include "resolver/standards/names.h"

namespace dae::mirror::sync {
namespace {

constexpr std::array kKeys = {"include",  "exclude", "versions", "prereleases", "sdists",   "pythons", "platforms",
                              "max_size", "max_age", "latest",   "files",       "parallel", "rate"};
constexpr int64_t kMostTransfers = 256;

void add_name(Reader& index, const Value& value, Filter& filter) {
  const std::string glob = normalize_project_glob(value.as_string());
  if (glob.empty()) throw index.error_at(value, "`" + value.as_string() + "` is no name of a project and no glob");
  if (glob.find_first_of("*?") == std::string::npos) {
    filter.names.insert(glob);
  } else {
    filter.globs.push_back(glob);
  }
}

// Relative to the file that names it.
Path beside(const Reader& reader, const std::string& path) {
  return Path(reader.file()).parent_path() / path;
}

void add_source(Reader& index, const Value& value, SyncSettings& settings) {
  static constexpr std::pair<const char*, NameSource::Kind> kinds[] = {{"lock", NameSource::Kind::lock},
                                                                       {"requirements", NameSource::Kind::requirements},
                                                                       {"names", NameSource::Kind::names}};
  Reader source(index.file(), value, index.where() + ".include");
  const size_t before = settings.sources.size();
  for (const auto& [key, kind] : kinds) {
    for (const std::string& path : source.strings(key)) settings.sources.push_back({kind, beside(index, path)});
  }
  source.finish();
  if (settings.sources.size() == before) throw index.error_at(value, "it names no file");
}

void parse_include(Reader& index, SyncSettings& settings) {
  const Value* include = index.optional("include");
  if (include == nullptr) return;
  settings.filter.everything = false;
  const auto add = [&](const Value& value) {
    if (value.is_object()) {
      add_source(index, value, settings);
    } else {
      add_name(index, value, settings.filter);
    }
  };
  if (!include->is_array()) return add(*include);
  if (include->size() == 0)
    throw index.error_at(*include, "an empty `include` takes nothing", "leave the key out to take all");
  for (const Value& value : include->as_array()) add(value);
}

void parse_versions(Reader& index, Filter& filter) {
  auto versions = index.object("versions");
  if (!versions) return;
  for (const auto& [name, value] : versions->value().as_object()) {
    const auto specifiers = resolver::SpecifierSet::try_parse(versions->required_string(name));
    if (!specifiers || !resolver::is_valid_name(name)) {
      throw index.error_at(value, "`versions` maps names of projects to version specifiers",
                           "`versions: {django: \">=4.2,<6\"}`");
    }
    const std::string normal = resolver::normalize_name(name);
    if (!filter.versions.emplace(normal, *specifiers).second) {
      throw index.error_at(value, "`versions` names `" + normal + "` twice");
    }
  }
}

std::vector<std::string> parse_targets(Reader& index, const char* key, bool pythons) {
  std::vector<std::string> words = index.strings(key);
  for (const std::string& word : words) {
    try {
      resolver::declared_target(pythons ? word : "3.12", pythons ? "linux_x86_64" : word);
    } catch (const Error& error) {
      throw index.error_at(*index.optional(key), error.message(), error.hint());
    }
  }
  return words;
}

Sdists parse_sdists(Reader& index) {
  const Value* value = index.optional("sdists");
  if (value == nullptr) return Sdists::keep;
  if (value->is_bool()) return value->as_bool() ? Sdists::keep : Sdists::drop;
  if (value->as_string() != "without-wheel") {
    throw index.error_at(*value, "`sdists` is `true`, `false` or `without-wheel`");
  }
  return Sdists::without_wheel;
}

void parse_bounds(Reader& index, Filter& filter) {
  if (const Value* size = index.optional("max_size")) filter.max_size_bytes = parse_size(index, *size);
  if (const Value* age = index.optional("max_age")) {
    filter.max_age_ms = index.duration_ms("max_age", 0);
    if (*filter.max_age_ms <= 0) throw index.error_at(*age, "a duration like `730d` is wanted here");
  }
  if (index.optional("latest") != nullptr) filter.latest = index.integer("latest", 1, 1, 1'000'000);
}

}  // namespace

SyncSettings parse_sync_settings(Reader& index) {
  SyncSettings settings;
  parse_include(index, settings);
  settings.filter.exclude = read_project_globs(index, "exclude");
  parse_versions(index, settings.filter);
  settings.filter.prereleases = index.boolean("prereleases", true);
  settings.filter.sdists = parse_sdists(index);
  settings.filter.pythons = parse_targets(index, "pythons", true);
  settings.filter.platforms = parse_targets(index, "platforms", false);
  parse_bounds(index, settings.filter);
  if (const Value* files = index.optional("files")) {
    if (files->as_string() != "all" && files->as_string() != "on-demand") {
      throw index.error_at(*files, "`files` is `all` or `on-demand`");
    }
    settings.on_demand = files->as_string() == "on-demand";
  }
  settings.parallel = index.integer("parallel", settings.parallel, 1, kMostTransfers);
  settings.requests_per_second = index.integer("rate", 0, 1, 100'000);
  return settings;
}

void refuse_sync_settings(Reader& index) {
  for (const char* key : kKeys) {
    if (const Value* value = index.optional(key)) {
      throw index.error_at(*value, std::string("`") + key + "` is a key of indexes with `mode: sync`",
                           "a mirror that ignored it would not do what the file says");
    }
  }
}

}  // namespace dae::mirror::sync
