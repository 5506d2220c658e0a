#include "resolver/source/static_metadata.h"

#include <algorithm>

#include "base/archive.h"
#include "base/error.h"
#include "resolver/source/source_tree.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMaxFileBytes = 16ull << 20;

// A file at the top of the tree; deeper ones belong to something else (setuptools' egg-info, vendored projects).
std::optional<std::string> top_file(const std::vector<ArchiveEntry>& entries, const Path& sdist,
                                    const std::string& name) {
  for (const ArchiveEntry& entry : entries) {
    if (std::ranges::count(entry.name, '/') == 1 && entry.name.ends_with("/" + name)) {
      return read_archive_member(sdist, entry.name, kMaxFileBytes);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> static_metadata(const Path& sdist, const std::string& label) {
  const std::vector<ArchiveEntry> entries = list_archive(sdist);
  auto info = top_file(entries, sdist, "PKG-INFO");
  if (info && is_final_pkg_info(*info)) return info;
  const auto project = top_file(entries, sdist, "pyproject.toml");
  try {
    return project ? metadata_of_pyproject(*project, label + "/pyproject.toml") : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;  // the build says what is wrong with it
  }
}

}  // namespace dae::resolver
