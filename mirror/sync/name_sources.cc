// The files that an `include` of mirror.yaml names: locks, requirements files, lists of names.
#include "base/error.h"
#include "base/strings.h"
#include "mirror/policy/project_globs.h"
#include "mirror/sync/settings.h"
#include "resolver/lock/import_pins.h"
#include "resolver/lock/lock.h"
#include "resolver/lock/requirements_txt.h"

namespace dae::mirror::sync {
namespace {

constexpr uint64_t kListLimitBytes = 64ull << 20;

resolver::SpecifierSet exactly(const std::string& version) {
  return resolver::SpecifierSet::parse("==" + version);
}

void add_pylock(const Path& path, Filter& filter) {
  const resolver::Lock lock = resolver::read_lock(path);
  for (const auto* packages : {&lock.packages, &lock.build_packages}) {
    for (const resolver::LockedPackage& package : *packages) {
      const bool from_index = !package.version.empty() && !package.vcs && !package.directory && !package.archive;
      if (from_index) filter.pins[package.name].push_back(exactly(package.version));
    }
  }
}

void add_lock(const Path& path, Filter& filter) {
  if (resolver::is_lock_file_name(path.filename().string())) return add_pylock(path, filter);
  for (const auto& [name, version] : resolver::import_pins(path)) filter.pins[name].push_back(exactly(version.text()));
}

void add_requirements(const Path& path, Filter& filter) {
  resolver::ProjectFile project;
  resolver::read_requirements_txt(path, path.string(), read_file(path, kListLimitBytes), project);
  for (const resolver::RootRequirement& root : project.requirements) {
    const resolver::Requirement& wanted = root.requirement;
    if (!wanted.key.empty() && wanted.url.empty()) filter.pins[wanted.key].push_back(wanted.specifiers);
  }
}

void add_names(const Path& path, Filter& filter) {
  size_t line_number = 0;
  for (const std::string& line : split_lines(read_file(path, kListLimitBytes))) {
    ++line_number;
    const std::string name(trim(std::string_view(line).substr(0, line.find('#'))));
    if (name.empty()) continue;
    const std::string glob = normalize_project_glob(name);
    if (glob.empty()) {
      throw Error(ErrorKind::bad_input, "`" + name.substr(0, 100) + "` is no name of a project and no glob",
                  path.string() + ":" + std::to_string(line_number));
    }
    if (glob.find_first_of("*?") == std::string::npos) {
      filter.names.insert(glob);
    } else {
      filter.globs.push_back(glob);
    }
  }
}

}  // namespace

Filter complete_filter(const SyncSettings& settings) {
  Filter filter = settings.filter;
  for (const NameSource& source : settings.sources) {
    switch (source.kind) {
      case NameSource::Kind::lock:
        add_lock(source.path, filter);
        break;
      case NameSource::Kind::requirements:
        add_requirements(source.path, filter);
        break;
      case NameSource::Kind::names:
        add_names(source.path, filter);
        break;
    }
  }
  return filter;
}

}  // namespace dae::mirror::sync
