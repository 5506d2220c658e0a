#include "resolver/audit/installed.h"

#include <algorithm>

#include "base/error.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/names.h"

namespace dae::resolver {

std::vector<AuditPackage> installed_packages(const Path& env) {
  std::vector<AuditPackage> out;
  bool found = false;
  for (const std::string& python : list_dir(env / "lib")) {
    const Path site = env / "lib" / python / "site-packages";
    if (!python.starts_with("python") || !exists(site)) continue;
    found = true;
    for (const std::string& entry : list_dir(site)) {
      const bool dist_info = entry.ends_with(".dist-info"), egg_info = entry.ends_with(".egg-info");
      if (!dist_info && !egg_info) continue;
      Path file = site / entry / (dist_info ? "METADATA" : "PKG-INFO");
      if (egg_info && !std::filesystem::is_directory(site / entry)) file = site / entry;
      const CoreMetadata metadata = parse_core_metadata(read_file(file, 16 << 20), entry);
      out.push_back({normalize_name(metadata.name), metadata.version});
    }
  }
  if (!found) throw Error(ErrorKind::not_found, "there is no Python environment", env.string(), "run `dae install`");
  std::ranges::sort(
      out, [](const auto& a, const auto& b) { return std::tie(a.name, a.version) < std::tie(b.name, b.version); });
  return out;
}

}  // namespace dae::resolver
