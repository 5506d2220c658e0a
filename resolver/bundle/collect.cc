#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "resolver/bundle/bundle.h"
#include "resolver/lock/build_pins.h"
#include "resolver/lock/export_requirements.h"
#include "resolver/standards/direct_url.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

class Collector {
 public:
  Collector(const BundlePlan& plan, const BundleInput& input, const BundleFetch& fetch, BlobStore& blobs)
      : plan_(plan), input_(input), fetch_(fetch), blobs_(blobs) {}

  BundleContents run() {
    take_files();
    if (input_.build) build_sources();
    find_gaps();
    BundleManifest& manifest = out_.manifest;
    manifest.created_by = input_.created_by;
    manifest.lock_sha256 = Digest::of(input_.lock_text).hex();
    manifest.targets = plan_.targets;
    manifest.which = plan_.which;
    for (auto& [path, file] : files_) manifest.files.push_back(file);
    add_texts();
    std::ranges::sort(out_.entries, {}, &TarEntry::name);
    return std::move(out_);
  }

 private:
  void take_files() {
    std::vector<Selected> wanted = plan_.files;
    for (Selected& what : wanted) what.is_wheel = true;  // as they are: nothing is built yet
    fetch_(wanted);
    for (const Selected& what : plan_.files) add_locked(what, false);
  }

  void build_sources() {
    std::vector<Selected> wanted;
    for (const BundlePlan::Source& source : plan_.sources) {
      wanted.push_back(source.what);
      // A link to a folder of this machine is of no use on another.
      if (wanted.back().directory) wanted.back().directory->editable = false;
    }
    if (wanted.empty()) return;
    const std::vector<WheelToInstall> built = fetch_(wanted);
    for (size_t i = 0; i < built.size(); ++i) add_built(plan_.sources[i], built[i]);
  }

  void add_built(const BundlePlan::Source& source, const WheelToInstall& wheel) {
    BundleFile file;
    file.path = "wheels/" + wheel.file_name;
    file.package = wheel.name;
    file.version = wheel.version;
    file.built_from = source_identity(source.what);
    file.built_on = input_.here.platform;
    // That of a directory names a place on this machine.
    if (!source.what.directory && wheel.direct_url.find("\"file:") == std::string::npos) {
      file.direct_url = wheel.direct_url;
    }
    const bool fits =
        std::ranges::any_of(source.targets, [&](size_t at) { return bundled_wheel_fits(file, plan_.targets[at]); });
    if (fits) add(std::move(file), wheel.digest);
  }

  void add(BundleFile file, const Digest& digest) {
    // It is to be of use where it cannot be fetched again.
    if (!blobs_.verify(digest)) {
      blobs_.remove(digest);
      throw Error(ErrorKind::verification, "the copy in the cache was damaged and is removed", file.path,
                  "run it again to fetch it anew");
    }
    file.sha256 = digest.hex();
    file.size_bytes = blobs_.size_bytes(digest).value_or(0);
    out_.size_bytes += file.size_bytes;
    out_.entries.push_back({file.path, blobs_.path(digest), "", false, ""});
    const std::string path = file.path;
    if (!files_.emplace(path, std::move(file)).second) {
      throw Error(ErrorKind::refused, "two files of the bundle would have this name", path);
    }
  }

  void find_gaps() {
    for (const BundlePlan::Source& source : plan_.sources) {
      const std::string identity = source_identity(source.what);
      const bool sdist = !source.what.vcs && !source.what.directory;
      for (const size_t at : source.targets) {
        const bool built = std::ranges::any_of(files_, [&](const auto& entry) {
          return entry.second.built_from == identity && entry.second.package == normalize_name(source.what.name) &&
                 bundled_wheel_fits(entry.second, plan_.targets[at]);
        });
        if (built) continue;
        out_.gaps.push_back({normalize_name(source.what.name), plan_.targets[at].label(), sdist});
        if (sdist) take_tools(source.what, plan_.targets[at]);
      }
    }
  }

  // What the lock says the sdist is built with, as far as it has files for the target.
  void take_tools(const Selected& what, const Target& target) {
    for (const LockedBuild* build : builds_of(input_.lock, build_name(normalize_name(what.name), what.version))) {
      const auto pins = pins_of(input_.lock, *build);
      if (!pins || !fits_all(*pins, {target})) continue;
      std::vector<Selected> files = select_pins(*pins, target);
      std::erase_if(files, [&](const Selected& tool) {
        const std::string path = path_of(tool);
        const auto known = files_.find(path);
        return tool.vcs || tool.directory || (known != files_.end() && known->second.sha256 == tool.file.sha256);
      });
      for (Selected& tool : files) tool.is_wheel = true;
      if (!files.empty()) fetch_(files);
      for (const Selected& tool : files) add_locked(tool, true);
    }
  }

  static std::string path_of(const Selected& what) {
    return (what.file.name.ends_with(".whl") ? "wheels/" : "sdists/") + what.file.name;
  }

  void add_locked(const Selected& what, bool for_building) {
    if (!is_safe_file_name(what.file.name)) {
      throw Error(ErrorKind::bad_input, "the lock names a file that is not safe to make", what.file.name);
    }
    BundleFile file;
    file.path = path_of(what);
    file.package = normalize_name(what.name);
    file.version = what.version;
    // The lock need not say that of a wheel at an address.
    const auto wheel = parse_wheel_name(what.file.name);
    if (file.version.empty() && wheel) file.version = wheel->version.text();
    file.for_building = for_building;
    add(std::move(file), Digest::parse(what.file.sha256));
  }

  // The lock as pip and uv can follow it below wheels/: by name, with the digests of what is there.
  Lock as_bundled() const {
    Lock out = input_.lock;
    std::erase_if(out.packages, [&](LockedPackage& package) { return !to_bundled(package); });
    return out;
  }

  bool to_bundled(LockedPackage& package) const {
    std::vector<LockedFile> wheels;
    std::string version = package.version;
    for (const auto& [path, file] : files_) {
      const bool wheel = path.starts_with("wheels/");
      if (!wheel || file.package != package.name || !is_of(package, file)) continue;
      LockedFile locked;
      locked.name = path.substr(7);
      locked.sha256 = file.sha256;
      wheels.push_back(std::move(locked));
      version = file.version;
    }
    package.wheels = std::move(wheels);
    package.version = version;
    package.sdist.reset();
    package.archive.reset();
    package.vcs.reset();
    package.directory.reset();
    return !package.wheels.empty();
  }

  static bool is_of(const LockedPackage& package, const BundleFile& file) {
    const auto same = [&](const LockedFile& locked) { return locked.sha256 == file.sha256; };
    if (file.built_from.empty()) {
      return std::ranges::any_of(package.wheels, same) || (package.archive && same(*package.archive));
    }
    Selected what;
    what.vcs = package.vcs;
    what.directory = package.directory;
    if (package.sdist) what.file = *package.sdist;
    if (package.archive) what.file = *package.archive;
    what.subdirectory = package.archive_subdirectory;
    return source_identity(what) == file.built_from;
  }

  void add_texts() {
    ExportOptions options;
    options.which = plan_.which;
    text("requirements.txt", "# pip install --no-index --find-links wheels --require-hashes -r requirements.txt\n" +
                                 export_requirements(as_bundled(), options));
    text(kBundleLock, input_.lock_text);
    text(kBundleManifest, render_bundle_manifest(out_.manifest));
    std::string sums;
    std::ranges::sort(out_.entries, {}, &TarEntry::name);
    for (const TarEntry& entry : out_.entries) {
      const auto file = files_.find(entry.name);
      sums += (file != files_.end() ? file->second.sha256 : Digest::of(entry.bytes).hex()) + "  " + entry.name + "\n";
    }
    text("SHA256SUMS", std::move(sums));
  }

  void text(std::string name, std::string bytes) {
    out_.size_bytes += bytes.size();
    out_.entries.push_back({std::move(name), {}, std::move(bytes), false, ""});
  }

  const BundlePlan& plan_;
  const BundleInput& input_;
  const BundleFetch& fetch_;
  BlobStore& blobs_;
  BundleContents out_;
  std::map<std::string, BundleFile> files_;  // by path
};

}  // namespace

BundleContents collect_bundle(const BundlePlan& plan, const BundleInput& input, const BundleFetch& fetch,
                              BlobStore& blobs) {
  return Collector(plan, input, fetch, blobs).run();
}

}  // namespace dae::resolver
