#include "mirror/site/app_use.h"

#include "base/error.h"
#include "mirror/artifact/artifact.h"
#include "resolver/standards/names.h"

namespace dae::mirror {
namespace {

constexpr int64_t kMostApps = 1000;
constexpr uint64_t kMostManifestBytes = 4ull << 20;

struct App {
  std::string repository, tag;
};

std::vector<App> newest_tags(Catalog& catalog) {
  return catalog.read([](Database& db) {
    std::vector<App> out;
    // A bare column beside max() is that of the row which has the maximum (SQLite, "Bare columns in an aggregate
    // query"). '0' follows '/'.
    Statement rows = db.prepare(
        "SELECT repository, tag, max(updated_ms) FROM tags WHERE repository > 'apps/' AND repository < 'apps0' AND NOT "
        "deleted GROUP BY repository ORDER BY repository LIMIT ?");
    rows.bind(1, kMostApps + 1);
    while (rows.step()) out.push_back({rows.text(0), rows.text(1)});
    return out;
  });
}

}  // namespace

AppUses find_app_uses(Catalog& catalog, RegistryStore& registry, const BlobStore& blobs) {
  AppUses out;
  for (const App& app : newest_tags(catalog)) {
    if (out.artifacts == kMostApps) {
      out.all = false;
      break;
    }
    const auto row = registry.tagged(app.repository, app.tag);
    if (!row || row->size_bytes > kMostManifestBytes) continue;
    try {
      const Manifest manifest = Manifest::parse(blobs.read(row->stored, kMostManifestBytes), app.repository);
      ++out.artifacts;
      for (const Descriptor& layer : manifest.layers) {
        const auto title = layer.annotations.find(kTitle);
        if (layer.media_type != kWheelType || title == layer.annotations.end()) continue;
        const auto wheel = resolver::parse_wheel_name(title->second);
        if (!wheel) continue;
        std::vector<AppUse>& uses = out.by_package[wheel->distribution];
        const bool told =
            !uses.empty() && uses.back().repository == app.repository && uses.back().version == wheel->version.text();
        if (!told) uses.push_back({app.repository, app.tag, wheel->version.text()});
      }
    } catch (const Error&) {
      // Another kind of artifact, or one whose bytes are gone: `verify` is what reports that.
    }
  }
  return out;
}

}  // namespace dae::mirror
