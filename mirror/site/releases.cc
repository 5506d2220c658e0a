#include "mirror/site/releases.h"

#include <algorithm>
#include <map>

#include "resolver/standards/names.h"

namespace dae::mirror {
namespace {

using resolver::IndexFile;
using resolver::Version;

struct Newest {
  bool operator()(const std::optional<Version>& a, const std::optional<Version>& b) const {
    if (!a || !b) return a.has_value() && !b.has_value();
    return *a > *b;
  }
};

std::optional<Version> version_of(const IndexFile& file, const std::string& project) {
  if (const auto wheel = resolver::parse_wheel_name(file.name)) return wheel->version;
  if (const auto sdist = resolver::parse_sdist_name(file.name, project)) return sdist->version;
  return std::nullopt;
}

bool comes_first(const IndexFile* a, const IndexFile* b) {
  const bool wheel_a = a->name.ends_with(".whl"), wheel_b = b->name.ends_with(".whl");
  return wheel_a != wheel_b ? wheel_a : a->name < b->name;
}

}  // namespace

std::vector<Release> releases_of(const resolver::ProjectPage& page,
                                 const std::function<bool(const IndexFile&)>& offered) {
  std::map<std::optional<Version>, Release, Newest> by_version;
  for (const IndexFile& file : page.files) {
    const std::optional<Version> version = version_of(file, page.name);
    auto [found, is_new] = by_version.try_emplace(version);
    Release& release = found->second;
    if (is_new) {
      release.version = version ? version->text() : "";
      release.prerelease = version && version->is_prerelease();
      release.yanked = release.hidden = true;
    }
    release.yanked = release.yanked && file.yanked;
    release.hidden = release.hidden && !offered(file);
    release.size_bytes += file.size_bytes.value_or(0);
    const bool earlier = release.uploaded.empty() || file.upload_time < release.uploaded;
    if (!file.upload_time.empty() && earlier) release.uploaded = file.upload_time;
    release.files.push_back(&file);
  }
  std::vector<Release> out;
  for (auto& [version, release] : by_version) {
    std::ranges::sort(release.files, comes_first);
    out.push_back(std::move(release));
  }
  return out;
}

const Release* default_release(const std::vector<Release>& releases) {
  const auto found = std::ranges::find_if(releases, [](const Release& release) {
    return !release.version.empty() && !release.hidden && !release.yanked && !release.prerelease;
  });
  if (found != releases.end()) return &*found;
  return releases.empty() ? nullptr : &releases.front();
}

}  // namespace dae::mirror
