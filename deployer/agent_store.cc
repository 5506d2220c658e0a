#include "deployer/agent_store.h"

#include <map>
#include <mutex>

#include "base/archive.h"
#include "base/blob_store.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/events.h"
#include "base/log.h"
#include "base/process.h"
#include "mirror/artifact/registry_client.h"
#include "resolver/install/environment.h"

namespace dae::deployer {
namespace {

constexpr int64_t kMirrorPatienceMs = 30'000, kMirrorPauseMs = 500;

// Adds up the bytes of all running downloads.
class FetchCounter final : public EventSink {
 public:
  explicit FetchCounter(PrepareProgress& progress) : progress_(progress) {}
  void emit(const Event& event) override {
    if (!event.bytes || event.activity == 0) return;
    std::lock_guard lock(mutex_);
    done_[event.activity] = static_cast<int64_t>(event.done);
    int64_t sum = 0;
    for (const auto& [activity, bytes] : done_) sum += bytes;
    progress_.fetched_bytes = sum;
  }

 private:
  PrepareProgress& progress_;
  std::mutex mutex_;
  std::map<uint64_t, int64_t> done_;
};

Path marker(const NodeLayout& layout, const std::string& app, const std::string& release_id) {
  return layout.release(app, release_id) / "release.json";
}

std::vector<resolver::WheelToInstall> wheels_of(const mirror::Manifest& manifest) {
  std::vector<resolver::WheelToInstall> wheels;
  for (const mirror::Descriptor& layer : manifest.layers) {
    if (layer.media_type != mirror::kWheelType) continue;
    const auto title = layer.annotations.find(mirror::kTitle);
    const std::string file_name = title == layer.annotations.end() ? "" : title->second;
    const auto name = resolver::parse_wheel_name(file_name);
    if (!name || !resolver::is_safe_file_name(file_name)) {
      throw Error(ErrorKind::bad_input, "a layer of the artifact is named `" + file_name + "`, which is no wheel",
                  layer.digest.oci());
    }
    wheels.push_back({name->distribution, name->version.text(), file_name, layer.digest, ""});
  }
  return wheels;
}

const mirror::Descriptor& source_of(const mirror::Manifest& manifest, const std::string& artifact) {
  for (const mirror::Descriptor& layer : manifest.layers) {
    if (layer.media_type == mirror::kSourceType) return layer;
  }
  throw Error(ErrorKind::bad_input, "the artifact has no source layer", artifact);
}

class RegistryPreparer final : public ReleasePreparer {
 public:
  RegistryPreparer(Transport& transport, ProcessRunner& runner, std::string registry, std::string python)
      : registry_(transport, std::move(registry)), runner_(runner), python_(std::move(python)) {}

  void prepare(const Release& release, const NodeLayout& layout, PrepareProgress& progress) override {
    const auto blobs = open_blob_store(layout.blobs());
    const mirror::Manifest manifest = fetch_patiently(release, *blobs, progress);
    progress.step = PrepareProgress::verifying;
    const Path dir = layout.release(release.app, release.id);
    unpack_source(source_of(manifest, release.artifact), *blobs, dir);
    progress.step = PrepareProgress::linking;
    const auto specifiers = resolver::SpecifierSet::parse(release.config.python);
    const auto python = resolver::find_interpreter(runner_, python_, specifiers);
    const auto plan = resolver::plan_install(dir / "env", python, wheels_of(manifest));
    NullSink silent;
    // One link a package, with bytecode made once: the store of a node is its own, and kept as long as its releases.
    const resolver::StorePaths store{layout.unpacked(), true, false, resolver::LinkMode::symlink};
    resolver::apply_install(plan, dir / "env", python, *blobs, store, silent);
  }

 private:
  // A mirror that is being restarted is no reason to take a release back.
  mirror::Manifest fetch_patiently(const Release& release, BlobStore& blobs, PrepareProgress& progress) {
    const SystemClock clock;
    const int64_t give_up_ms = clock.monotonic_ms() + kMirrorPatienceMs;
    while (true) {
      try {
        return fetch(release, blobs, progress);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::network || clock.monotonic_ms() >= give_up_ms) throw;
      }
      StopSignal::wait_ms(kMirrorPauseMs);
      if (StopSignal::requested()) throw Error(ErrorKind::interrupted, "stopped while waiting for the mirror");
    }
  }

  mirror::Manifest fetch(const Release& release, BlobStore& blobs, PrepareProgress& progress) {
    SystemClock clock;
    const int64_t started_ms = clock.monotonic_ms();
    auto found = registry_.manifest(release.repository, release.artifact);
    if (!found) {
      throw Error(ErrorKind::not_found, "the mirror does not have the artifact", release.artifact,
                  "was it published to this mirror?");
    }
    if (found->second.oci() != release.artifact) {
      throw Error(ErrorKind::verification, "the mirror answered with another artifact: " + found->second.oci(),
                  release.artifact);
    }
    uint64_t total = found->first.config.size_bytes;
    for (const mirror::Descriptor& layer : found->first.layers) total += layer.size_bytes;
    progress.total_bytes = static_cast<int64_t>(total);
    FetchCounter counter(progress);
    progress.fetched_bytes =
        static_cast<int64_t>(registry_.pull_blobs(release.repository, found->first, blobs, counter));
    progress.fetch_ms = clock.monotonic_ms() - started_ms;
    return std::move(found->first);
  }

  // Into a directory of its own first: a half-unpacked tree never has the final name.
  static void unpack_source(const mirror::Descriptor& layer, const BlobStore& blobs, const Path& dir) {
    const Path source = dir / "source";
    remove_all(source);
    TempDir unpacked(".unpacking-", dir);
    set_mode(unpacked.path(), 0755);
    unpack_archive(blobs.path(layer.digest), unpacked.path());
    rename_path(unpacked.path(), source);
    unpacked.release();
  }

  mirror::RegistryClient registry_;
  ProcessRunner& runner_;
  std::string python_;
};

}  // namespace

std::unique_ptr<ReleasePreparer> make_registry_preparer(Transport& transport, ProcessRunner& runner,
                                                        std::string registry, std::string python) {
  return std::make_unique<RegistryPreparer>(transport, runner, std::move(registry), std::move(python));
}

bool is_complete(const NodeLayout& layout, const std::string& app, const std::string& release_id) {
  return exists(marker(layout, app, release_id));
}

void complete_release(ReleasePreparer& preparer, const Release& release, const NodeLayout& layout,
                      PrepareProgress& progress) {
  if (is_complete(layout, release.app, release.id)) return;
  const Path dir = layout.release(release.app, release.id);
  make_dirs(dir);
  for (const std::string& name : list_dir(dir)) {
    if (name.starts_with(".unpacking-")) remove_all(dir / name);
  }
  preparer.prepare(release, layout, progress);
  // Order: all files, then the marker. After a power cut a release with its marker is whole.
  sync_file_system(dir);
  write_file_atomic(marker(layout, release.app, release.id), canonical_json(to_value(release)));
}

std::optional<Release> stored_release(const NodeLayout& layout, const std::string& app, const std::string& digest12) {
  const Path file = layout.releases(app) / digest12 / "release.json";
  try {
    const auto text = read_file_if_exists(file, 16u << 20);
    if (!text) return std::nullopt;
    Release release = release_from_value(parse_json(*text, file.string()));
    check_release(release);
    if (release.app == app && NodeLayout::digest12(release.id) == digest12) return release;
  } catch (const Error& error) {
    log_warn("cannot read a stored release", {{"file", file.string()}, {"error", error.what()}});
  }
  return std::nullopt;
}

}  // namespace dae::deployer
