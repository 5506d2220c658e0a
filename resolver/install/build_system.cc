#include "resolver/install/build_system.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "base/value.h"
#include "resolver/standards/requirement.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMaxFileBytes = 4 << 20;
constexpr size_t kMaxRequirements = 1000;
constexpr const char* kLegacyBackend = "setuptools.build_meta:__legacy__";
// The first that has the legacy back end.
constexpr const char* kLegacyRequirement = "setuptools>=40.8.0";

bool names_setuptools(const std::vector<std::string>& requirements) {
  return std::ranges::any_of(requirements,
                             [](const std::string& text) { return Requirement::parse(text).key == "setuptools"; });
}

// PEP 517: "directories in backend-path are interpreted as relative to the project root, and MUST refer to a location
// within the source tree (after relative paths and symbolic links have been resolved)".
void check_backend_path(const Path& project, const Reader& reader, const Value& at, const std::string& part) {
  const Path top = std::filesystem::weakly_canonical(project);
  const Path place = std::filesystem::weakly_canonical(project / part);
  const Path inside = place.lexically_relative(top);
  if (!part.starts_with('/') && !inside.empty() && *inside.begin() != "..") return;
  throw reader.error_at(at, "`backend-path` leads out of the project: `" + part + "`");
}

}  // namespace

std::vector<std::string> canonical_requirements(const std::vector<std::string>& texts, const std::string& label) {
  if (texts.size() > kMaxRequirements) throw Error(ErrorKind::bad_input, "asks for too much to be built", label);
  std::vector<std::string> out;
  for (const std::string& text : texts) {
    try {
      out.push_back(Requirement::parse(text).text());
    } catch (const Error& error) {
      throw Error(ErrorKind::bad_input, "a broken build requirement: " + error.message(), label);
    }
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

BuildSystem read_build_system(const Path& project, const std::string& label) {
  BuildSystem out;
  out.backend = kLegacyBackend;
  out.requirements = {kLegacyRequirement};
  const auto text = read_file_if_exists(project / "pyproject.toml", kMaxFileBytes);
  if (!text) return out;
  const Document document = parse_toml(*text, label + "/pyproject.toml");
  Reader whole(document);
  auto reader = whole.object("build-system");
  if (!reader) return out;
  if (!reader->has("requires")) {
    throw reader->error_at(reader->value(), "`build-system` needs `requires` (PEP 518)");
  }
  out.requirements = canonical_requirements(reader->strings("requires"), label + "/pyproject.toml");
  if (!reader->has("build-backend")) {
    if (reader->has("backend-path")) throw reader->error_at(reader->value(), "`backend-path` without `build-backend`");
    if (!names_setuptools(out.requirements)) out.requirements.emplace_back(kLegacyRequirement);
    std::ranges::sort(out.requirements);
    return out;
  }
  out.backend = reader->required_string("build-backend");
  const bool plain = std::ranges::all_of(out.backend, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == ':' || static_cast<unsigned char>(c) >= 0x80;
  });
  if (out.backend.empty() || !plain || std::ranges::count(out.backend, ':') > 1) {
    throw reader->error_at(reader->required("build-backend"), "`" + out.backend + "` names no object of Python");
  }
  out.backend_path = reader->strings("backend-path");
  for (const std::string& part : out.backend_path) {
    check_backend_path(project, *reader, reader->required("backend-path"), part);
  }
  return out;
}

}  // namespace dae::resolver
