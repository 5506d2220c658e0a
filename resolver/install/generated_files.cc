#include "resolver/install/generated_files.h"

#include <algorithm>

#include "base/error.h"
#include "resolver/install/owners.h"
#include "resolver/install/record.h"
#include "resolver/install/wheel_check.h"
#include "resolver/standards/direct_url.h"

namespace dae::resolver {
namespace {

std::string direct_url_of(const WheelToInstall& wheel) {
  if (!wheel.direct_url.empty()) return wheel.direct_url;
  return render_direct_url(
      {wheel.url.substr(0, wheel.url.find('#')), "", DirectUrl::Archive{{{"sha256", wheel.digest.hex()}}}});
}

}  // namespace

std::vector<GeneratedFile> generated_files(const WheelToInstall& wheel, const StoredWheel& stored,
                                           const EnvLayout& layout) {
  std::vector<GeneratedFile> out;
  const auto add = [&](std::string target, std::string bytes, bool executable) {
    std::string hash = "sha256=" + digest_base64url(Digest::of(bytes));
    out.push_back({std::move(target), std::move(bytes), std::move(hash), executable});
  };
  for (const StoredWheel::DataFile& file : stored.data) {
    if (file.rewrite) add(file.target, with_shebang(read_file(stored.dir / file.source), layout.python()), true);
  }
  for (const EntryPoint& entry : stored.entry_points) {
    add("bin/" + entry.name, script_for(entry, layout.python()), true);
  }
  // The specification wants it for direct references, and forbids it for what comes from an index (PEP 610).
  if (!wheel.direct_url.empty() || !wheel.url.empty()) {
    add(layout.site_packages() + "/" + stored.dist_info + "/direct_url.json", direct_url_of(wheel), false);
  }
  return out;
}

std::string record_with(const StoredWheel& stored, const std::vector<GeneratedFile>& generated,
                        const EnvLayout& layout) {
  const Path path = stored.site() / stored.dist_info / "RECORD";
  std::vector<RecordEntry> entries = parse_record(read_file(path), path.string());
  for (const GeneratedFile& file : generated) {
    entries.push_back({record_relative(layout, file.target), file.hash, file.bytes.size()});
  }
  return render_record(std::move(entries));
}

}  // namespace dae::resolver
