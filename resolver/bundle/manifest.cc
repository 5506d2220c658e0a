#include "resolver/bundle/manifest.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "base/value.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

constexpr int64_t kFormat = 1;
constexpr size_t kMaxFiles = 100'000;

Value target_value(const Target& target) {
  Value out = Value::object({{"python", target.python_version},
                             {"python_full", target.python_full_version},
                             {"implementation", target.implementation},
                             {"platform", target.platform}});
  if (target.free_threaded) out.set("free_threaded", true);
  return out;
}

Target read_target(const std::string& file, const Value& value) {
  Reader reader(file, value, "targets");
  Target out;
  out.python_version = reader.required_string("python");
  out.python_full_version = reader.required_string("python_full");
  out.implementation = reader.required_string("implementation");
  out.platform = reader.required_string("platform");
  out.free_threaded = reader.boolean("free_threaded", false);
  reader.finish();
  validate_target(out);
  return out;
}

Value file_value(const BundleFile& file) {
  Value out = Value::object({{"path", file.path},
                             {"sha256", file.sha256},
                             {"size", file.size_bytes},
                             {"package", file.package},
                             {"version", file.version}});
  if (!file.built_from.empty()) out.set("built_from", file.built_from).set("built_on", file.built_on);
  if (!file.direct_url.empty()) out.set("direct_url", file.direct_url);
  if (file.for_building) out.set("for_building", true);
  return out;
}

bool is_safe_path(std::string_view path) {
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view folder = path.substr(0, slash);
  return (folder == "wheels" || folder == "sdists") && is_safe_file_name(path.substr(slash + 1));
}

BundleFile read_file_entry(const std::string& name, const Value& value) {
  Reader reader(name, value, "files");
  BundleFile out;
  out.path = reader.required_string("path");
  if (!is_safe_path(out.path)) throw reader.error_at(value, "the path is no file below `wheels/` or `sdists/`");
  out.sha256 = reader.required_string("sha256");
  if (!Digest::is_valid(out.sha256) || out.sha256.size() != 64) {
    throw reader.error_at(value, fmt::format("`{}` has no SHA-256", out.path));
  }
  out.size_bytes = static_cast<uint64_t>(reader.integer("size", 0, 0));
  out.package = normalize_name(reader.required_string("package"));
  out.version = reader.string("version");
  out.built_from = reader.string("built_from");
  out.built_on = reader.string("built_on");
  out.direct_url = reader.string("direct_url");
  out.for_building = reader.boolean("for_building", false);
  reader.finish();
  if (out.path.starts_with("wheels/") && !parse_wheel_name(out.path.substr(7))) {
    throw reader.error_at(value, fmt::format("`{}` is no name of a wheel", out.path));
  }
  return out;
}

const Value::Array& list_of(Reader& reader, const char* key) {
  const Value& value = reader.required(key);
  if (!value.is_array() || value.size() > kMaxFiles) throw reader.error_at(value, fmt::format("`{}` is no list", key));
  return value.as_array();
}

}  // namespace

std::string render_bundle_manifest(const BundleManifest& manifest) {
  Value targets = Value::array(), files = Value::array();
  for (const Target& target : manifest.targets) targets.push_back(target_value(target));
  for (const BundleFile& file : manifest.files) files.push_back(file_value(file));
  return pretty_json(Value::object({{"format", kFormat},
                                    {"created_by", manifest.created_by},
                                    {"lock_sha256", manifest.lock_sha256},
                                    {"targets", std::move(targets)},
                                    {"extras", Value::strings(manifest.which.extras)},
                                    {"groups", Value::strings(manifest.which.groups)},
                                    {"default_groups", manifest.which.default_groups},
                                    {"files", std::move(files)}})) +
         "\n";
}

BundleManifest parse_bundle_manifest(std::string_view text, const std::string& name) {
  const Document document = parse_json(text, name);
  Reader reader(document);
  const Value& format = reader.required("format");
  if (!format.is_integer() || format.as_integer() != kFormat) {
    throw reader.error_at(format, "the bundle has a format that is not known here", "a newer dae may read it");
  }
  BundleManifest out;
  out.created_by = reader.required_string("created_by");
  out.lock_sha256 = reader.required_string("lock_sha256");
  for (const Value& target : list_of(reader, "targets")) out.targets.push_back(read_target(name, target));
  out.which.extras = reader.strings("extras");
  out.which.groups = reader.strings("groups");
  out.which.default_groups = reader.boolean("default_groups", true);
  for (const Value& file : list_of(reader, "files")) out.files.push_back(read_file_entry(name, file));
  reader.finish();
  return out;
}

std::string source_identity(const Selected& what) {
  std::string out;
  if (what.vcs) {
    out = what.vcs->type + ":" + what.vcs->commit_id;
    if (!what.vcs->subdirectory.empty()) out += "#" + what.vcs->subdirectory;
  } else if (what.directory) {
    out = "directory:" + what.directory->path;
    if (!what.directory->subdirectory.empty()) out += "#" + what.directory->subdirectory;
  } else {
    out = "sha256:" + what.file.sha256;
    if (!what.subdirectory.empty()) out += "#" + what.subdirectory;
  }
  return out;
}

bool bundled_wheel_fits(const BundleFile& file, const Target& target) {
  if (!file.path.starts_with("wheels/")) return false;
  const auto name = parse_wheel_name(file.path.substr(7));
  if (!name) return false;
  const TagSet tags(target);
  if (tags.rank(*name) < 0) return false;
  const auto for_any = [](const std::string& tag) { return tag.ends_with("-any"); };
  // Plain "linux_x86_64" says nothing about the C library it was linked with.
  return file.built_from.empty() || std::ranges::all_of(name->tags, for_any) ||
         tags.rank("py3-none-" + file.built_on) >= 0;
}

std::vector<std::string> target_labels(const std::vector<Target>& targets) {
  std::vector<std::string> out;
  for (const Target& target : targets) out.push_back(target.label());
  return out;
}

}  // namespace dae::resolver
