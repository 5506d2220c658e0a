#include "resolver/source/static_metadata.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/archive.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/value.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/names.h"
#include "resolver/standards/requirement.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMetadataLimit = 16ull << 20;
constexpr uint64_t kPyprojectLimit = 4ull << 20;

// PEP 643: from metadata 2.2 on, what is not called dynamic is the same in every wheel built from the sdist.
bool is_final(const CoreMetadata& metadata) {
  const std::vector<std::string> parts = split(metadata.metadata_version, '.');
  const int64_t major = parse_int(parts[0]).value_or(0);
  const int64_t minor = parts.size() > 1 ? parse_int(parts[1]).value_or(0) : 0;
  if (major < 2 || (major == 2 && minor < 2)) return false;
  return std::ranges::none_of(metadata.dynamic, [](const std::string& field) {
    return field == "requires-dist" || field == "requires-python" || field == "provides-extra";
  });
}

// The one at the top of the tree; deeper ones belong to something else (setuptools' egg-info, vendored projects).
std::optional<std::string> top_member(const Path& sdist, const std::string& name, uint64_t limit_bytes) {
  for (const ArchiveEntry& entry : list_archive(sdist)) {
    if (std::ranges::count(entry.name, '/') == 1 && entry.name.ends_with("/" + name)) {
      return read_archive_member(sdist, entry.name, limit_bytes);
    }
  }
  return std::nullopt;
}

// Whether the backend may add to, or make up, what resolution reads.
bool is_open(const Value& project) {
  const auto dynamic = project.get_strings("dynamic");
  return std::ranges::any_of(dynamic, [](const std::string& field) {
    return field == "version" || field == "dependencies" || field == "optional-dependencies" ||
           field == "requires-python";
  });
}

void add_requirement(std::string& out, const std::string& text, const std::string& extra) {
  Requirement requirement = Requirement::parse(text);
  if (extra.empty()) {
    out += fmt::format("Requires-Dist: {}\n", requirement.text());
    return;
  }
  const std::string marker = requirement.marker.text();
  requirement.marker = Marker::parse(marker.empty() ? fmt::format("extra == '{}'", extra)
                                                    : fmt::format("({}) and extra == '{}'", marker, extra));
  out += fmt::format("Requires-Dist: {}\n", requirement.text());
}

}  // namespace

std::optional<std::string> static_pkg_info(const Path& sdist) {
  auto text = top_member(sdist, "PKG-INFO", kMetadataLimit);
  if (!text || !is_final(parse_core_metadata(*text, "PKG-INFO"))) return std::nullopt;
  return text;
}

std::optional<std::string> static_pyproject(const Path& sdist) {
  const auto text = top_member(sdist, "pyproject.toml", kPyprojectLimit);
  return text ? metadata_of_pyproject(*text, "pyproject.toml") : std::nullopt;
}

std::optional<std::string> metadata_of_pyproject(std::string_view text, const std::string& name) {
  const Document document = parse_toml(text, name);
  const Value* project = document.root.find("project");
  if (project == nullptr || !project->is_object() || is_open(*project)) return std::nullopt;
  const std::string called = project->get_string("name"), version = project->get_string("version");
  if (called.empty() || version.empty()) return std::nullopt;
  // Poetry reads its own table beside an incomplete [project].
  const Value* tool = document.root.find("tool");
  const bool poetry = tool != nullptr && tool->find("poetry") != nullptr;
  if (poetry && project->find("dependencies") == nullptr) return std::nullopt;

  std::string out = fmt::format("Metadata-Version: 2.4\nName: {}\nVersion: {}\n", called, version);
  if (const std::string python = project->get_string("requires-python"); !python.empty()) {
    out += fmt::format("Requires-Python: {}\n", SpecifierSet::parse(python).text());
  }
  for (const std::string& line : project->get_strings("dependencies")) add_requirement(out, line, "");
  if (const Value* extras = project->find("optional-dependencies")) {
    for (const auto& [extra, lines] : extras->as_object()) {
      out += fmt::format("Provides-Extra: {}\n", normalize_name(extra));
      for (const Value& line : lines.as_array()) add_requirement(out, line.as_string(), normalize_name(extra));
    }
  }
  return out + "\n";
}

}  // namespace dae::resolver
