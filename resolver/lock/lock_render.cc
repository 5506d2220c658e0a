// Writing pylock.toml by hand: keys in the order in which the specification lists them, one [[packages]] block per
// package and one line per file, so that a change of one package is a change of its lines only.
#include <fmt/format.h>

#include <algorithm>

#include "resolver/lock/lock.h"
#include "resolver/lock/lock_text.h"

namespace dae::resolver {

namespace {

void append_string(std::string& out, std::string_view text) {
  out += '"';
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
  out += '"';
}

void append_strings(std::string& out, std::string_view key, const std::vector<std::string>& items) {
  out += key;
  out += " = [";
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    append_string(out, items[i]);
  }
  out += "]\n";
}

// `key = "value"`, when there is a value.
void append_line(std::string& out, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  out += key;
  out += " = ";
  append_string(out, value);
  out += '\n';
}

// The members of an inline table, one after the other.
class InlineTable {
 public:
  explicit InlineTable(std::string& out) : out_(out) { out_ += '{'; }
  void end() { out_ += '}'; }
  std::string& key(std::string_view name) {
    if (!first_) out_ += ", ";
    first_ = false;
    if (is_bare_toml_key(name)) {
      out_ += name;
    } else {
      append_string(out_, name);
    }
    return out_ += " = ";
  }
  void text(std::string_view name, std::string_view value) {
    if (!value.empty()) append_string(key(name), value);
  }

 private:
  std::string& out_;
  bool first_ = true;
};

void append_hashes(std::string& out, const LockedFile& file) {
  InlineTable table(out);
  bool sha256_done = file.sha256.empty();
  for (const auto& [algorithm, digest] : file.hashes) {
    if (!sha256_done && algorithm >= "sha256") {
      append_string(table.key("sha256"), file.sha256);
      sha256_done = true;
      if (algorithm == "sha256") continue;
    }
    append_string(table.key(algorithm), digest);
  }
  if (!sha256_done) append_string(table.key("sha256"), file.sha256);
  table.end();
}

// An archive has no `name` of its own in the specification.
void append_file(std::string& out, const LockedFile& file, bool with_name, std::string_view subdirectory = "") {
  InlineTable table(out);
  std::string buffer;
  if (with_name) append_string(table.key("name"), file.name);
  const std::string_view upload_time = lock_time(file.upload_time, buffer);
  if (!upload_time.empty()) table.key("upload-time") += upload_time;
  table.text("url", file.url);
  table.text("path", file.path);
  if (file.size_bytes) table.key("size") += std::to_string(*file.size_bytes);
  append_hashes(table.key("hashes"), file);
  table.text("subdirectory", subdirectory);
  table.end();
}

void append_vcs(std::string& out, const LockedVcs& vcs) {
  InlineTable table(out);
  table.text("type", vcs.type);
  table.text("url", vcs.url);
  table.text("path", vcs.path);
  table.text("requested-revision", vcs.requested_revision);
  table.text("commit-id", vcs.commit_id);
  table.text("subdirectory", vcs.subdirectory);
  table.end();
}

void append_directory(std::string& out, const LockedDirectory& directory) {
  InlineTable table(out);
  table.text("path", directory.path);
  if (directory.editable) table.key("editable") += "true";
  table.text("subdirectory", directory.subdirectory);
  table.end();
}

void append_value(std::string& out, const Value& value) {
  switch (value.type()) {
    case Value::Type::string:
      append_string(out, value.as_string());
      break;
    case Value::Type::object: {
      InlineTable table(out);
      for (const auto& [key, item] : value.as_object()) append_value(table.key(key), item);
      table.end();
      break;
    }
    case Value::Type::array:
      out += '[';
      for (size_t i = 0; i < value.as_array().size(); ++i) {
        if (i > 0) out += ", ";
        append_value(out, value.as_array()[i]);
      }
      out += ']';
      break;
    case Value::Type::null:
      out += "\"\"";  // TOML has none, so no file can have brought it
      break;
    default:
      out += canonical_json(value);  // numbers and truth values look alike in both
  }
}

void append_package(std::string& out, const LockedPackage& package, const EntriesByName& repeated,
                    std::string_view table = "packages") {
  out += "\n[[";
  out += table;
  out += "]]\n";
  append_line(out, "name", package.name);
  append_line(out, "version", package.version);
  append_line(out, "marker", package.marker);
  append_line(out, "requires-python", package.requires_python);
  append_dependencies(out, package, repeated);
  if (package.vcs) append_vcs(out += "vcs = ", *package.vcs), out += '\n';
  if (package.directory) append_directory(out += "directory = ", *package.directory), out += '\n';
  if (package.archive) {
    append_file(out += "archive = ", *package.archive, false, package.archive_subdirectory);
    out += '\n';
  }
  append_line(out, "index", package.index);
  if (package.sdist) append_file(out += "sdist = ", *package.sdist, true), out += '\n';
  if (!package.wheels.empty()) {
    out += "wheels = [\n";
    for (const LockedFile& wheel : package.wheels) append_file(out += "    ", wheel, true), out += ",\n";
    out += "]\n";
  }
  if (!package.attestation_identities.empty()) {
    out += "attestation-identities = [\n";
    for (const Value& identity : package.attestation_identities) append_value(out += "    ", identity), out += ",\n";
    out += "]\n";
  }
}

void append_tool(std::string& out, const Lock& lock) {
  out += "\n[tool.dae]\ninput-digest = ";
  append_string(out, lock.input_digest);
  out += '\n';
  append_line(out, "cutoff", lock.cutoff);
  out += "targets = [\n";
  for (const Target& target : lock.targets) {
    InlineTable table(out += "    ");
    append_string(table.key("python"), target.python_version);
    append_string(table.key("python-full"), target.python_full_version);
    append_string(table.key("implementation"), target.implementation);
    append_string(table.key("platform"), target.platform);
    if (target.free_threaded) table.key("free-threaded") += "true";
    table.end();
    out += ",\n";
  }
  out += "]\n";
}

void append_builds(std::string& out, const Lock& lock) {
  for (const LockedBuild& build : lock.builds) {
    out += "\n[[tool.dae.builds]]\n";
    append_strings(out, "packages", build.packages);
    append_strings(out, "requires", build.requirements);
    out += "pins = [\n";
    for (const LockedBuild::Pin& pin : build.pins) {
      InlineTable table(out += "    ");
      append_string(table.key("package"), pin.name);
      table.text("marker", pin.marker);
      table.end();
      out += ",\n";
    }
    out += "]\n";
  }
  for (const LockedPackage& package : lock.build_packages) append_package(out, package, {}, "tool.dae.build-packages");
}

// `{name = "a", version = "1"}`, or with the source where versions do not tell the entries of a name apart.
void append_entry(std::string& out, const LockedPackage& entry, bool by_version) {
  InlineTable table(out += "    ");
  table.text("name", entry.name);
  if (by_version) {
    table.text("version", entry.version);
  } else if (entry.vcs) {
    append_vcs(table.key("vcs"), *entry.vcs);
  } else if (entry.directory) {
    append_directory(table.key("directory"), *entry.directory);
  } else if (entry.archive) {
    append_file(table.key("archive"), *entry.archive, false, entry.archive_subdirectory);
  } else {
    table.text("version", entry.version);
  }
  table.end();
  out += ",\n";
}

}  // namespace

void append_dependencies(std::string& out, const LockedPackage& package, const EntriesByName& repeated) {
  if (package.dependencies.empty()) return;
  out += "dependencies = [\n";
  for (const std::string& name : package.dependencies) {
    const auto found = repeated.find(name);
    if (found == repeated.end()) {
      append_string(out += "    {name = ", name);
      out += "},\n";
      continue;
    }
    const auto& entries = found->second;
    for (const LockedPackage* entry : entries) {
      const auto same = std::count_if(entries.begin(), entries.end(),
                                      [&](const LockedPackage* other) { return other->version == entry->version; });
      append_entry(out, *entry, same == 1 && !entry->version.empty());
    }
  }
  out += "]\n";
}

std::string render_lock(const Lock& lock) {
  std::vector<const LockedPackage*> packages;
  for (const LockedPackage& package : lock.packages) packages.push_back(&package);
  std::stable_sort(packages.begin(), packages.end(),
                   [](const LockedPackage* a, const LockedPackage* b) { return a->name < b->name; });
  std::string out = "lock-version = \"1.0\"\n";
  if (!lock.environments.empty()) {
    out += "environments = [\n";
    for (const std::string& marker : lock.environments) append_string(out += "    ", marker), out += ",\n";
    out += "]\n";
  }
  append_line(out, "requires-python", lock.requires_python);
  append_strings(out, "extras", lock.extras);
  append_strings(out, "dependency-groups", lock.dependency_groups);
  append_strings(out, "default-groups", lock.default_groups);
  out += "created-by = \"dae\"\n";
  // Readers insist on the key, also when nothing is locked.
  if (packages.empty()) out += "packages = []\n";
  const EntriesByName repeated = repeated_names(packages);
  for (const LockedPackage* package : packages) append_package(out, *package, repeated);
  if (!lock.input_digest.empty() || !lock.targets.empty() || !lock.builds.empty()) append_tool(out, lock);
  append_builds(out, lock);
  return out;
}

}  // namespace dae::resolver
