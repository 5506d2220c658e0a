// Reading pylock.toml. Every MUST of the specification that can be checked without a machine is checked here; unknown
// keys are left alone, as minor versions after 1.0 may bring some.
#include <fmt/format.h>

#include "base/hash.h"
#include "base/strings.h"
#include "resolver/lock/lock.h"
#include "resolver/lock/lock_canonical.h"
#include "resolver/standards/names.h"
#include "resolver/standards/specifier.h"

namespace dae::resolver {

namespace {

constexpr uint64_t kMaxLockBytes = 64ull << 20;
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

std::string read_name(Reader& reader) {
  const std::string name = reader.required_string("name");
  if (!is_valid_name(name) || normalize_name(name) != name) {
    throw reader.error_at(reader.required("name"), fmt::format("`{}` is no normalised name", name));
  }
  return name;
}

void read_hashes(Reader& reader, LockedFile& file) {
  reader.required("hashes");
  Reader hashes = *reader.object("hashes");
  for (const auto& [algorithm, value] : hashes.value().as_object()) {
    const std::string digest = hashes.required_string(algorithm);
    const bool is_hex = digest.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    if (!is_hex || (algorithm == "sha256" && !Digest::is_valid(digest))) {
      throw reader.error_at(value, fmt::format("`{}` is no {} digest", digest, algorithm));
    }
    file.hashes[algorithm] = lower(digest);
  }
  if (file.hashes.empty()) throw reader.error_at(hashes.value(), "`hashes` must name at least one digest");
  const auto sha256 = file.hashes.find("sha256");
  if (sha256 != file.hashes.end()) file.sha256 = sha256->second;
}

LockedFile read_file_entry(Reader reader, std::string_view what) {
  LockedFile file;
  file.url = reader.string("url");
  file.path = reader.string("path");
  if (file.url.empty() && file.path.empty()) {
    throw reader.error_at(reader.value(), fmt::format("{} needs `url` or `path`", what));
  }
  // The name counts before the last part of the path, and a path before the address.
  file.name = reader.string("name");
  if (file.name.empty()) {
    std::string place = file.path.empty() ? file.url.substr(0, file.url.find_first_of("?#")) : file.path;
    file.name = place.substr(place.find_last_of('/') + 1);
  }
  if (!is_safe_file_name(file.name)) {
    throw reader.error_at(reader.value(), fmt::format("{} has an unsafe file name", what));
  }
  const int64_t size = reader.integer("size", -1, 0);
  if (size >= 0) file.size_bytes = static_cast<uint64_t>(size);
  file.upload_time = reader.string("upload-time");
  read_hashes(reader, file);
  return file;
}

void read_wheels(Reader& reader, LockedPackage& package) {
  const Value* list = reader.optional("wheels");
  if (list == nullptr) return;
  if (!list->is_array()) throw reader.error_at(*list, "`wheels` must be a list of tables");
  for (const Value& item : list->as_array()) {
    LockedFile file = read_file_entry(Reader(reader.file(), item, reader.where() + ".wheels"), "a wheel");
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

void read_sources(Reader& reader, LockedPackage& package) {
  const bool files = reader.has("wheels") || reader.has("sdist");
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
  if (present[0] || present[1]) package.other_source = found;
  if (present[2]) package.archive = read_file_entry(*reader.object("archive"), "an archive");
  if (reader.has("sdist")) package.sdist = read_file_entry(*reader.object("sdist"), "an sdist");
  read_wheels(reader, package);
}

LockedPackage read_package(Reader reader) {
  LockedPackage package;
  package.name = read_name(reader);
  package.version = checked(reader, "version", [](const std::string& t) { Version::parse(t); });
  package.marker = checked(reader, "marker", [](const std::string& t) { Marker::parse(t); });
  package.requires_python = checked(reader, "requires-python", [](const std::string& t) { SpecifierSet::parse(t); });
  package.index = reader.string("index");
  const Value* dependencies = reader.optional("dependencies");
  if (dependencies != nullptr) {
    if (!dependencies->is_array()) throw reader.error_at(*dependencies, "`dependencies` must be a list of tables");
    for (const Value& item : dependencies->as_array()) {
      const std::string name = Reader(reader.file(), item, reader.where() + ".dependencies").string("name");
      // One name may stand for several entries of it, told apart by version.
      if (!name.empty() && (package.dependencies.empty() || package.dependencies.back() != name)) {
        package.dependencies.push_back(name);
      }
    }
  }
  read_sources(reader, package);
  return package;
}

void check_lock_version(Reader& reader) {
  const std::string text = reader.required_string("lock-version");
  const auto version = Version::try_parse(text);
  if (!version || version->release().empty() || version->release()[0] != 1 || version->epoch() != 0) {
    throw reader.error_at(reader.required("lock-version"), fmt::format("lock-version `{}` is not supported", text),
                          "this program reads version 1");
  }
}

void read_tool(Reader& reader, Lock& lock) {
  auto tool = reader.object("tool");
  if (!tool) return;
  auto ours = tool->object("dae");
  if (!ours) return;
  lock.input_digest = ours->string("input-digest");
  lock.cutoff = ours->string("cutoff");
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
    } catch (const Error& error) {
      throw entry.error_at(item, error.message(), error.hint());
    }
    lock.targets.push_back(std::move(target));
  }
}

}  // namespace

Lock parse_lock(std::string_view text, std::string name) {
  if (auto lock = parse_canonical_lock(text)) return std::move(*lock);
  const Document document = parse_toml(text, std::move(name));
  Reader reader(document);
  check_lock_version(reader);
  reader.required_string("created-by");
  Lock lock;
  lock.requires_python = checked(reader, "requires-python", [](const std::string& t) { SpecifierSet::parse(t); });
  lock.environments = string_list(reader, "environments");
  for (const std::string& marker : lock.environments) {
    try {
      Marker::parse(marker);
    } catch (const Error& error) {
      throw reader.error_at(*reader.optional("environments"), "`environments`: " + error.message());
    }
  }
  lock.extras = string_list(reader, "extras");
  lock.dependency_groups = string_list(reader, "dependency-groups");
  lock.default_groups = string_list(reader, "default-groups");
  const Value& packages = reader.required("packages");
  if (!packages.is_array()) throw reader.error_at(packages, "`packages` must be a list of tables");
  for (const Value& item : packages.as_array()) {
    lock.packages.push_back(read_package(Reader(document.name, item, "packages")));
  }
  read_tool(reader, lock);
  return lock;
}

Lock read_lock(const Path& path) {
  return parse_lock(read_file(path, kMaxLockBytes), path.string());
}

}  // namespace dae::resolver
