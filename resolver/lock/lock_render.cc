// Writing pylock.toml by hand: keys in the order in which the specification lists them, one [[packages]] block per
// package and one line per file, so that a change of one package is a change of its lines only.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "resolver/lock/lock.h"

namespace dae::resolver {

namespace {

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string toml_strings(const std::vector<std::string>& items) {
  std::vector<std::string> parts;
  for (const std::string& item : items) parts.push_back(toml_string(item));
  return "[" + join(parts, ", ") + "]";
}

// RFC 3339 in UTC, so that it may stand in TOML without quotes; without trailing zeros, as it is read back. "" when the
// text is no such time.
std::string utc_time(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00";
  if (text.size() <= kShape.size() || text.back() != 'Z') return "";
  for (size_t i = 0; i < kShape.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kShape[i] == '0' ? !digit : text[i] != kShape[i]) return "";
  }
  std::string_view fraction = text.substr(kShape.size(), text.size() - kShape.size() - 1);
  if (!fraction.empty() && (fraction[0] != '.' || fraction.size() > 10)) return "";
  if (fraction.find_first_not_of("0123456789", 1) != std::string_view::npos) return "";
  while (!fraction.empty() && (fraction.back() == '0' || fraction.back() == '.')) fraction.remove_suffix(1);
  return fmt::format("{}{}Z", text.substr(0, kShape.size()), fraction);
}

bool is_bare_key(std::string_view key) {
  return !key.empty() && key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string_view::npos;
}

std::string file_table(const LockedFile& file) {
  std::vector<std::string> parts{"name = " + toml_string(file.name)};
  const std::string upload_time = utc_time(file.upload_time);
  if (!upload_time.empty()) parts.push_back("upload-time = " + upload_time);
  if (!file.url.empty()) parts.push_back("url = " + toml_string(file.url));
  if (!file.path.empty()) parts.push_back("path = " + toml_string(file.path));
  if (file.size_bytes) parts.push_back(fmt::format("size = {}", *file.size_bytes));
  std::map<std::string, std::string> hashes = file.hashes;
  if (!file.sha256.empty()) hashes["sha256"] = file.sha256;
  std::vector<std::string> digests;
  for (const auto& [algorithm, digest] : hashes) {
    if (!is_bare_key(algorithm)) continue;
    digests.push_back(fmt::format("{} = {}", algorithm, toml_string(digest)));
  }
  parts.push_back("hashes = {" + join(digests, ", ") + "}");
  return "{" + join(parts, ", ") + "}";
}

// An archive has no `name` of its own in the specification.
std::string archive_table(const LockedFile& file) {
  std::string table = file_table(file);
  const std::string name = "name = " + toml_string(file.name) + ", ";
  return "{" + table.substr(1 + name.size());
}

using VersionsByName = std::map<std::string, std::vector<std::string>>;

void render_dependencies(std::string& out, const LockedPackage& package, const VersionsByName& versions) {
  if (package.dependencies.empty()) return;
  out += "dependencies = [\n";
  for (const std::string& name : package.dependencies) {
    const auto known = versions.find(name);
    if (known == versions.end() || known->second.size() == 1) {
      out += fmt::format("    {{name = {}}},\n", toml_string(name));
      continue;
    }
    for (const std::string& version : known->second) {
      out += fmt::format("    {{name = {}, version = {}}},\n", toml_string(name), toml_string(version));
    }
  }
  out += "]\n";
}

void render_package(std::string& out, const LockedPackage& package, const VersionsByName& versions) {
  out += "\n[[packages]]\n";
  out += "name = " + toml_string(package.name) + "\n";
  const auto line = [&](const char* key, const std::string& value) {
    if (!value.empty()) out += fmt::format("{} = {}\n", key, toml_string(value));
  };
  line("version", package.version);
  line("marker", package.marker);
  line("requires-python", package.requires_python);
  render_dependencies(out, package, versions);
  if (package.archive) out += "archive = " + archive_table(*package.archive) + "\n";
  line("index", package.index);
  if (package.sdist) out += "sdist = " + file_table(*package.sdist) + "\n";
  if (package.wheels.empty()) return;
  out += "wheels = [\n";
  for (const LockedFile& wheel : package.wheels) out += "    " + file_table(wheel) + ",\n";
  out += "]\n";
}

void render_tool(std::string& out, const Lock& lock) {
  out += "\n[tool.dae]\n";
  out += "input-digest = " + toml_string(lock.input_digest) + "\n";
  if (!lock.cutoff.empty()) out += "cutoff = " + toml_string(lock.cutoff) + "\n";
  out += "targets = [\n";
  for (const Target& target : lock.targets) {
    out += fmt::format("    {{python = {}, python-full = {}, implementation = {}, platform = {}{}}},\n",
                       toml_string(target.python_version), toml_string(target.python_full_version),
                       toml_string(target.implementation), toml_string(target.platform),
                       target.free_threaded ? ", free-threaded = true" : "");
  }
  out += "]\n";
}

}  // namespace

std::string render_lock(const Lock& lock) {
  std::vector<const LockedPackage*> packages;
  VersionsByName versions;
  for (const LockedPackage& package : lock.packages) {
    packages.push_back(&package);
    versions[package.name].push_back(package.version);
  }
  std::stable_sort(packages.begin(), packages.end(),
                   [](const LockedPackage* a, const LockedPackage* b) { return a->name < b->name; });
  std::string out = "lock-version = \"1.0\"\n";
  if (!lock.environments.empty()) {
    out += "environments = [\n";
    for (const std::string& marker : lock.environments) out += "    " + toml_string(marker) + ",\n";
    out += "]\n";
  }
  if (!lock.requires_python.empty()) out += "requires-python = " + toml_string(lock.requires_python) + "\n";
  out += "extras = " + toml_strings(lock.extras) + "\n";
  out += "dependency-groups = " + toml_strings(lock.dependency_groups) + "\n";
  out += "default-groups = " + toml_strings(lock.default_groups) + "\n";
  out += "created-by = \"dae\"\n";
  // Readers insist on the key, also when nothing is locked.
  if (packages.empty()) out += "packages = []\n";
  for (const LockedPackage* package : packages) render_package(out, *package, versions);
  if (!lock.input_digest.empty() || !lock.targets.empty()) render_tool(out, lock);
  return out;
}

}  // namespace dae::resolver
