#include "resolver/lock/import_pins.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "base/value.h"
#include "resolver/lock/lock.h"
#include "resolver/lock/requirements_txt_lines.h"
#include "resolver/standards/names.h"
#include "resolver/standards/requirement.h"

namespace dae::resolver {

namespace {

using Pins = std::map<std::string, Version>;
constexpr uint64_t kMaxBytes = 64ull << 20;
constexpr int kMaxDepth = 10;

void add(Pins& pins, const std::string& name, const Version& version) {
  const auto [place, is_new] = pins.emplace(normalize_name(name), version);
  if (!is_new && place->second < version) place->second = version;
}

std::string valid_name(Reader& reader, const std::string& name, const Value& at) {
  if (!is_valid_name(name)) throw reader.error_at(at, fmt::format("`{}` is no package name", name.substr(0, 100)));
  return name;
}

Version valid_version(Reader& reader, std::string_view text, const Value& at) {
  const auto version = Version::try_parse(text);
  if (!version) throw reader.error_at(at, fmt::format("`{}` is no version", text.substr(0, 100)));
  return *version;
}

// [[package]] of poetry.lock (1 and 2), uv.lock and pdm.lock: they differ in how they say where a package comes from.
bool is_from_index(const Value& package) {
  for (const char* key : {"git", "hg", "svn", "url", "path"}) {
    if (package.find(key) != nullptr) return false;  // pdm
  }
  const Value* source = package.find("source");
  if (source == nullptr || !source->is_object()) return true;
  const Value* type = source->find("type");
  if (type != nullptr && type->is_string())
    return type->as_string() == "legacy" || type->as_string().empty();  // poetry
  return source->find("registry") != nullptr;                           // uv
}

Pins from_package_tables(const Document& document) {
  Pins out;
  Reader reader(document);
  const Value* packages = reader.optional("package");
  if (packages == nullptr) return out;  // a project without dependencies
  if (!packages->is_array()) throw reader.error_at(*packages, "`package` must be a list of tables");
  for (const Value& item : packages->as_array()) {
    Reader package(document.name, item, "package");
    const Value& name_at = package.required("name");
    const std::string name = valid_name(package, package.required_string("name"), name_at);
    // A tree whose version is dynamic has none.
    if (!package.has("version") || !is_from_index(item)) continue;
    add(out, name, valid_version(package, package.required_string("version"), package.required("version")));
  }
  return out;
}

Pins from_pipfile_lock(const Document& document) {
  Pins out;
  Reader reader(document);
  for (const auto& [category, packages] : reader.value().as_object()) {
    if (category == "_meta") continue;
    Reader table(document.name, packages, category);
    for (const auto& [name, item] : packages.as_object()) {
      valid_name(table, name, item);
      Reader package(document.name, item, category + "." + name);
      const std::string text = package.string("version");
      const std::string_view pin = trim(text);
      if (!pin.starts_with("==")) continue;  // "*", or a repository, folder or address
      const Value& at = package.required("version");
      add(out, name, valid_version(package, trim(pin.substr(pin.starts_with("===") ? 3 : 2)), at));
    }
  }
  return out;
}

Pins from_lock(const Lock& lock) {
  Pins out;
  for (const LockedPackage& package : lock.packages) {
    const auto version = Version::try_parse(package.version);
    if (version && !package.archive && !package.vcs && !package.directory) add(out, package.name, *version);
  }
  return out;
}

// The version of "name==1.0" and nothing else: a range prefers nothing.
std::optional<Version> exact_pin(const Requirement& requirement) {
  if (!requirement.url.empty() || requirement.specifiers.parts().size() != 1) return std::nullopt;
  const Specifier& part = requirement.specifiers.parts().front();
  if (part.op == SpecifierOp::arbitrary) return Version::try_parse(part.raw);
  if (part.op != SpecifierOp::equal || part.prefix) return std::nullopt;
  return part.version;
}

// "-r x", "-rx", "--requirement=x" and the same of -c: the x; "" for other options.
std::string included_file(std::string_view line) {
  for (const std::string_view option : {"--requirement", "--constraint", "-r", "-c"}) {
    if (!line.starts_with(option)) continue;
    std::string_view rest = line.substr(option.size());
    if (option.size() > 2 && !rest.starts_with('=') && !rest.starts_with(' ')) continue;
    if (rest.starts_with('=')) rest.remove_prefix(1);
    return std::string(trim(rest));
  }
  return "";
}

void from_requirements(const Path& path, std::string_view bytes, int depth, Pins& out) {
  for (const LogicalLine& line : logical_lines(decode_requirements_file(bytes, path.string()).text)) {
    if (line.text.empty()) continue;
    const Position at = line.position_of(0);
    const std::string place = fmt::format("{}:{}:{}", path.string(), at.line, at.column);
    if (line.text[0] == '-') {
      const std::string file = included_file(line.text);
      if (file.empty() || file.find("://") != std::string::npos) continue;
      if (depth >= kMaxDepth) throw Error(ErrorKind::bad_input, "-r and -c nest too deeply, or in a circle", place);
      const auto other = read_file_if_exists(path.parent_path() / file, kMaxBytes);
      if (!other) throw Error(ErrorKind::not_found, fmt::format("`{}` does not exist", file), place);
      from_requirements(path.parent_path() / file, *other, depth + 1, out);
      continue;
    }
    const std::string requirement(trim(std::string_view(line.text).substr(0, line.text.find(" --"))));
    // Paths and bare addresses pin no version.
    if (requirement.find("://") < requirement.find('@') || requirement[0] == '.' || requirement[0] == '/') continue;
    try {
      const Requirement parsed = Requirement::parse(requirement);
      if (const auto version = exact_pin(parsed)) add(out, parsed.key, *version);
    } catch (const Error& error) {
      throw Error(ErrorKind::bad_input, error.message(), place, error.hint());
    }
  }
}

enum class Format { requirements, package_tables, pipfile, pylock };

Format format_of(const Path& path, std::string_view text) {
  const std::string name = path.filename().string();
  if (name == "Pipfile.lock") return Format::pipfile;
  if (name == "poetry.lock" || name == "uv.lock" || name == "pdm.lock") return Format::package_tables;
  if (is_lock_file_name(name)) return Format::pylock;
  if (name.ends_with(".txt") || name.ends_with(".in")) return Format::requirements;
  if (trim(text).starts_with('{')) return Format::pipfile;
  for (const std::string_view line : {"\n[[package]]", "\n[[packages]]", "\nlock-version", "\ncreated-by"}) {
    if (("\n" + std::string(text.substr(0, 1 << 16))).find(line) == std::string::npos) continue;
    return line == "\n[[package]]" ? Format::package_tables : Format::pylock;
  }
  return Format::requirements;
}

}  // namespace

Pins import_pins_from(const Path& path, std::string_view text) {
  switch (format_of(path, text)) {
    case Format::pipfile:
      return from_pipfile_lock(parse_json(text, path.string()));
    case Format::package_tables:
      return from_package_tables(parse_toml(text, path.string()));
    case Format::pylock:
      return from_lock(parse_lock(text, path.string()));
    case Format::requirements:
      break;
  }
  Pins out;
  from_requirements(path, text, 0, out);
  return out;
}

Pins import_pins(const Path& path) {
  return import_pins_from(path, read_file(path, kMaxBytes));
}

}  // namespace dae::resolver
