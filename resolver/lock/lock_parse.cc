// Reading pylock.toml. Every MUST of the specification that can be checked without a machine is checked here. Unknown
// keys are left alone; in a lock of a newer minor version they are warned about.
#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/hash.h"
#include "base/strings.h"
#include "resolver/lock/build_pins.h"
#include "resolver/lock/lock.h"
#include "resolver/lock/lock_canonical.h"
#include "resolver/standards/names.h"
#include "resolver/standards/specifier.h"

namespace dae::resolver {

namespace {

constexpr uint64_t kMaxLockBytes = 64ull << 20;
constexpr size_t kMaxWarnings = 20;
constexpr const char* kSources[] = {"vcs", "directory", "archive", "index files"};

std::vector<std::string> string_list(Reader& reader, std::string_view key) {
  const Value* value = reader.optional(key);
  if (value != nullptr && !value->is_array()) {
    throw reader.error_at(*value, fmt::format("`{}` must be a list, found {}", key, value->type_name()));
  }
  return reader.strings(key);
}

// Runs `check` on the text of a key and reports what it throws at the key's position.
template <typename Check>
std::string checked(Reader& reader, std::string_view key, Check check) {
  const std::string text = reader.string(key);
  if (text.empty()) return text;
  try {
    check(text);
  } catch (const Error& error) {
    throw reader.error_at(*reader.optional(key), fmt::format("`{}`: {}", key, error.message()));
  }
  return text;
}

// `extra` is a field of metadata: in a lock it is undefined, and its sets take its place.
void check_marker(const std::string& text) {
  if (Marker::parse(text).mentions_extra()) {
    throw Error(ErrorKind::bad_input, "`extra` means nothing in a lock, `'name' in extras` does");
  }
}

bool is_normalised(const std::string& name) {
  return is_valid_name(name) && normalize_name(name) == name;
}

// Only unknown minor versions bring keys that may matter: in 1.0 they are somebody's own business.
class Newer {
 public:
  Newer(Lock& lock, bool active) : lock_(lock), active_(active) {}

  void check(const Reader& reader, std::initializer_list<std::string_view> known) const {
    if (!active_) return;
    for (const auto& [key, value] : reader.value().as_object()) {
      if (std::find(known.begin(), known.end(), key) != known.end() || lock_.warnings.size() >= kMaxWarnings) continue;
      const Position at = value.key_position.line != 0 ? value.key_position : value.position;
      lock_.warnings.push_back(
          fmt::format("{}:{}:{}: `{}` is not known here and left out", reader.file(), at.line, at.column, key));
    }
  }

 private:
  Lock& lock_;
  bool active_;
};

void read_hashes(Reader& reader, LockedFile& file) {
  reader.required("hashes");
  Reader hashes = *reader.object("hashes");
  for (const auto& [key, value] : hashes.value().as_object()) {
    const std::string digest = hashes.required_string(key), algorithm = lower(key);
    const bool is_hex = digest.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    if (!is_hex || digest.empty() || (algorithm == "sha256" && !Digest::is_valid(digest))) {
      throw reader.error_at(value, fmt::format("`{}` is no {} digest", digest, algorithm));
    }
    file.hashes[algorithm] = lower(digest);
  }
  if (file.hashes.empty()) throw reader.error_at(hashes.value(), "`hashes` must name at least one digest");
  const auto sha256 = file.hashes.find("sha256");
  if (sha256 != file.hashes.end()) file.sha256 = sha256->second;
}

std::string read_time(Reader& reader) {
  const std::string text = reader.string("upload-time");
  if (text.empty()) return "";
  try {
    const int64_t moment = parse_utc(text);
    return text.ends_with('Z') ? text : format_utc(moment, moment % 1000 != 0);
  } catch (const Error&) {
    throw reader.error_at(*reader.optional("upload-time"), fmt::format("`{}` is no time in UTC", text));
  }
}

// The last part of where a file is. Paths may have been written on the other kind of system.
std::string last_part(const LockedFile& file) {
  if (file.path.empty()) {
    const std::string place = file.url.substr(0, file.url.find_first_of("?#"));
    return place.substr(place.find_last_of('/') + 1);
  }
  const char separator = file.path.find('/') != std::string::npos ? '/' : '\\';
  return file.path.substr(file.path.find_last_of(separator) + 1);
}

LockedFile read_file_entry(Reader reader, std::string_view what, const Newer& newer) {
  newer.check(reader, {"name", "url", "path", "size", "upload-time", "hashes", "subdirectory"});
  LockedFile file;
  file.url = reader.string("url");
  file.path = reader.string("path");
  if (file.url.empty() && file.path.empty()) {
    throw reader.error_at(reader.value(), fmt::format("{} needs `url` or `path`", what));
  }
  // The name counts before the last part of the path, and a path before the address. An archive has no `name`.
  if (what != "an archive") file.name = reader.string("name");
  if (file.name.empty()) file.name = last_part(file);
  if (!is_safe_file_name(file.name)) {
    throw reader.error_at(reader.value(), fmt::format("{} has an unsafe file name", what));
  }
  const int64_t size = reader.integer("size", -1, 0);
  if (size >= 0) file.size_bytes = static_cast<uint64_t>(size);
  file.upload_time = read_time(reader);
  read_hashes(reader, file);
  return file;
}

std::string read_subdirectory(Reader& reader) {
  const std::string text = reader.string("subdirectory");
  const std::vector<std::string> parts = split(replace_all(text, "\\", "/"), '/');
  const bool leaves = std::find(parts.begin(), parts.end(), "..") != parts.end();
  if (!text.empty() && (text[0] == '/' || text[0] == '\\' || leaves || text.find(':') == 1)) {
    throw reader.error_at(*reader.optional("subdirectory"), fmt::format("`{}` is not below the source tree", text));
  }
  return text;
}

LockedVcs read_vcs(Reader reader, const Newer& newer) {
  newer.check(reader, {"type", "url", "path", "requested-revision", "commit-id", "subdirectory"});
  LockedVcs out;
  out.type = reader.required_string("type");
  out.url = reader.string("url");
  out.path = reader.string("path");
  if (out.url.empty() && out.path.empty()) throw reader.error_at(reader.value(), "a repository needs `url` or `path`");
  out.requested_revision = reader.string("requested-revision");
  out.commit_id = reader.required_string("commit-id");
  const bool hashed = out.type == "git" || out.type == "hg";
  const bool is_hash = out.commit_id.find_first_not_of("0123456789abcdef") == std::string::npos &&
                       (out.commit_id.size() == 40 || out.commit_id.size() == 64);
  if (hashed ? !is_hash : out.commit_id.starts_with('-') || out.commit_id.empty()) {
    throw reader.error_at(reader.required("commit-id"),
                          fmt::format("`{}` is no commit of {}", out.commit_id, out.type));
  }
  out.subdirectory = read_subdirectory(reader);
  return out;
}

LockedDirectory read_directory(Reader reader, const Newer& newer) {
  newer.check(reader, {"path", "editable", "subdirectory"});
  LockedDirectory out;
  out.path = reader.required_string("path");
  if (out.path.empty()) throw reader.error_at(reader.required("path"), "`path` is empty");
  out.editable = reader.boolean("editable", false);
  out.subdirectory = read_subdirectory(reader);
  return out;
}

void read_wheels(Reader& reader, LockedPackage& package, const Newer& newer) {
  const Value* list = reader.optional("wheels");
  if (list == nullptr) return;
  if (!list->is_array()) throw reader.error_at(*list, "`wheels` must be a list of tables");
  for (const Value& item : list->as_array()) {
    LockedFile file = read_file_entry(Reader(reader.file(), item, reader.where() + ".wheels"), "a wheel", newer);
    const auto name = parse_wheel_name(file.name);
    if (!name || name->distribution != package.name) {
      throw reader.error_at(item, fmt::format("`{}` is no wheel of `{}`", file.name, package.name));
    }
    if (!package.version.empty() && name->version != Version::parse(package.version)) {
      throw reader.error_at(item, fmt::format("`{}` is not version {}", file.name, package.version));
    }
    package.wheels.push_back(std::move(file));
  }
}

void read_sdist(Reader& reader, LockedPackage& package, const Newer& newer) {
  package.sdist = read_file_entry(*reader.object("sdist"), "an sdist", newer);
  const auto name = parse_sdist_name(package.sdist->name, package.name);
  if (!name) {
    throw reader.error_at(reader.required("sdist"),
                          fmt::format("`{}` is no sdist of `{}`", package.sdist->name, package.name));
  }
  if (!package.version.empty() && name->version != Version::parse(package.version)) {
    throw reader.error_at(reader.required("sdist"),
                          fmt::format("`{}` is not version {}", package.sdist->name, package.version));
  }
}

void read_sources(Reader& reader, LockedPackage& package, const Newer& newer) {
  const Value* wheels = reader.optional("wheels");
  // An empty list of wheels is no source.
  const bool files = reader.has("sdist") || (wheels != nullptr && (!wheels->is_array() || wheels->size() > 0));
  const bool present[] = {reader.has("vcs"), reader.has("directory"), reader.has("archive"), files};
  const char* found = nullptr;
  for (int i = 0; i < 4; ++i) {
    if (!present[i]) continue;
    if (found != nullptr) {
      throw reader.error_at(reader.value(),
                            fmt::format("`{}` has two sources: {} and {}", package.name, found, kSources[i]));
    }
    found = kSources[i];
  }
  if (found == nullptr) throw reader.error_at(reader.value(), fmt::format("`{}` has no source", package.name));
  if (present[0]) package.vcs = read_vcs(*reader.object("vcs"), newer);
  if (present[1]) package.directory = read_directory(*reader.object("directory"), newer);
  if (present[2]) {
    Reader archive = *reader.object("archive");
    package.archive_subdirectory = read_subdirectory(archive);
    package.archive = read_file_entry(archive, "an archive", newer);
  }
  if (reader.has("sdist")) read_sdist(reader, package, newer);
  read_wheels(reader, package, newer);
}

void read_dependencies(Reader& reader, LockedPackage& package) {
  const Value* dependencies = reader.optional("dependencies");
  if (dependencies == nullptr) return;
  if (!dependencies->is_array()) throw reader.error_at(*dependencies, "`dependencies` must be a list of tables");
  for (const Value& item : dependencies->as_array()) {
    const std::string name = Reader(reader.file(), item, reader.where() + ".dependencies").string("name");
    // One name may stand for several entries of it, told apart by version or source.
    if (!name.empty() && (package.dependencies.empty() || package.dependencies.back() != name)) {
      package.dependencies.push_back(name);
    }
  }
}

bool has_fraction(const Value& value) {
  if (value.is_array()) return std::ranges::any_of(value.as_array(), has_fraction);
  if (value.is_object()) {
    return std::ranges::any_of(value.as_object(), [](const auto& member) { return has_fraction(member.second); });
  }
  return value.type() == Value::Type::real;
}

void read_identities(Reader& reader, LockedPackage& package) {
  const Value* identities = reader.optional("attestation-identities");
  if (identities == nullptr) return;
  if (!identities->is_array()) throw reader.error_at(*identities, "`attestation-identities` must be a list of tables");
  for (const Value& item : identities->as_array()) {
    Reader(reader.file(), item, reader.where() + ".attestation-identities").required_string("kind");
    if (has_fraction(item)) throw reader.error_at(item, "no publisher is described by numbers with a fraction");
    package.attestation_identities.push_back(item);
  }
}

LockedPackage read_package(Reader reader, const Newer& newer) {
  newer.check(reader, {"name", "version", "marker", "requires-python", "dependencies", "vcs", "directory", "archive",
                       "index", "sdist", "wheels", "attestation-identities", "tool"});
  LockedPackage package;
  package.name = reader.required_string("name");
  if (!is_normalised(package.name)) {
    throw reader.error_at(reader.required("name"), fmt::format("`{}` is no normalised name", package.name));
  }
  package.version = checked(reader, "version", [](const std::string& t) { Version::parse(t); });
  package.marker = checked(reader, "marker", check_marker);
  package.requires_python = checked(reader, "requires-python", [](const std::string& t) { SpecifierSet::parse(t); });
  package.index = reader.string("index");
  read_dependencies(reader, package);
  read_sources(reader, package, newer);
  read_identities(reader, package);
  reader.object("tool");  // disposable, but a table
  return package;
}

// Returns whether the lock is of a minor version after ours.
bool check_lock_version(Reader& reader) {
  const std::string text = reader.required_string("lock-version");
  const auto version = Version::try_parse(text);
  if (!version || version->release_at(0) != 1 || version->epoch() != 0) {
    const bool future = version && (version->epoch() != 0 || version->release_at(0) > 1);
    throw reader.error_at(
        reader.required("lock-version"), fmt::format("lock-version `{}` is not supported", text),
        future ? "a newer program wrote this lock; this one reads version 1" : "this program reads version 1");
  }
  return *version > Version::parse("1.0");
}

void read_builds(Reader& ours, Lock& lock, const Newer& newer) {
  if (const Value* packages = ours.optional("build-packages")) {
    if (!packages->is_array()) throw ours.error_at(*packages, "`build-packages` must be a list of tables");
    for (const Value& item : packages->as_array()) {
      lock.build_packages.push_back(read_package(Reader(ours.file(), item, "tool.dae.build-packages"), newer));
    }
  }
  const Value* builds = ours.optional("builds");
  if (builds == nullptr) return;
  if (!builds->is_array()) throw ours.error_at(*builds, "`builds` must be a list of tables");
  for (const Value& item : builds->as_array()) {
    Reader entry(ours.file(), item, "tool.dae.builds");
    LockedBuild build;
    build.packages = string_list(entry, "packages");
    build.requirements = string_list(entry, "requires");
    const Value& pins = entry.required("pins");
    if (!pins.is_array()) throw entry.error_at(pins, "`pins` must be a list of tables");
    for (const Value& one : pins.as_array()) {
      Reader pin(ours.file(), one, "tool.dae.builds.pins");
      build.pins.push_back({pin.required_string("package"), checked(pin, "marker", check_marker)});
    }
    if (!pins_of(lock, build)) throw entry.error_at(pins, "a pin is not among `build-packages`");
    lock.builds.push_back(std::move(build));
  }
}

void read_tool(Reader& reader, Lock& lock, const Newer& newer) {
  auto tool = reader.object("tool");
  if (!tool) return;
  auto ours = tool->object("dae");
  if (!ours) return;
  lock.input_digest = ours->string("input-digest");
  lock.cutoff = ours->string("cutoff");
  read_builds(*ours, lock, newer);
  const Value* targets = ours->optional("targets");
  if (targets == nullptr) return;
  if (!targets->is_array()) throw ours->error_at(*targets, "`targets` must be a list of tables");
  for (const Value& item : targets->as_array()) {
    Reader entry(reader.file(), item, "tool.dae.targets");
    Target target;
    target.python_version = entry.required_string("python");
    target.python_full_version = entry.string("python-full", target.python_version + ".0");
    target.implementation = entry.string("implementation", "cpython");
    target.platform = entry.required_string("platform");
    target.free_threaded = entry.boolean("free-threaded", false);
    try {
      validate_target(target);
      Version::parse(target.python_full_version);
    } catch (const Error& error) {
      throw entry.error_at(item, error.message(), error.hint());
    }
    lock.targets.push_back(std::move(target));
  }
}

void read_head(Reader& reader, Lock& lock) {
  reader.required_string("created-by");
  lock.requires_python = checked(reader, "requires-python", [](const std::string& t) { SpecifierSet::parse(t); });
  lock.environments = string_list(reader, "environments");
  for (size_t i = 0; i < lock.environments.size(); ++i) {
    try {
      check_marker(lock.environments[i]);
    } catch (const Error& error) {
      throw reader.error_at(reader.required("environments").as_array()[i], "`environments`: " + error.message());
    }
  }
  lock.extras = string_list(reader, "extras");
  for (size_t i = 0; i < lock.extras.size(); ++i) {
    if (is_normalised(lock.extras[i])) continue;
    throw reader.error_at(reader.required("extras").as_array()[i],
                          fmt::format("`{}` is no normalised name", lock.extras[i]));
  }
  lock.dependency_groups = string_list(reader, "dependency-groups");
  lock.default_groups = string_list(reader, "default-groups");
}

}  // namespace

Lock parse_lock(std::string_view text, std::string name) {
  if (auto lock = parse_canonical_lock(text)) return std::move(*lock);
  const Document document = parse_toml(text, std::move(name));
  Reader reader(document);
  Lock lock;
  const bool is_newer = check_lock_version(reader);
  if (is_newer) {
    const Position at = reader.required("lock-version").position;
    lock.warnings.push_back(fmt::format("{}:{}:{}: lock-version {} is newer than the 1.0 that is known here",
                                        document.name, at.line, at.column, reader.required_string("lock-version")));
  }
  const Newer newer(lock, is_newer);
  newer.check(reader, {"lock-version", "environments", "requires-python", "extras", "dependency-groups",
                       "default-groups", "created-by", "packages", "tool"});
  read_head(reader, lock);
  const Value& packages = reader.required("packages");
  if (!packages.is_array()) throw reader.error_at(packages, "`packages` must be a list of tables");
  for (const Value& item : packages.as_array()) {
    lock.packages.push_back(read_package(Reader(document.name, item, "packages"), newer));
  }
  read_tool(reader, lock, newer);
  return lock;
}

bool is_lock_file_name(std::string_view name) {
  if (name == "pylock.toml") return true;
  if (!name.starts_with("pylock.") || !name.ends_with(".toml") || name.size() <= 12) return false;
  const std::string_view label = name.substr(7, name.size() - 12);
  return label.find('.') == std::string_view::npos;
}

Lock read_lock(const Path& path) {
  if (!is_lock_file_name(path.filename().string())) {
    throw Error(ErrorKind::bad_input, "this is no name for a lock", path.string(),
                "installers look for `pylock.toml` or `pylock.NAME.toml` with no further dot");
  }
  return parse_lock(read_file(path, kMaxLockBytes), path.string());
}

}  // namespace dae::resolver
