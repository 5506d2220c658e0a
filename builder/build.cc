#include "builder/build.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/archive.h"
#include "base/clock.h"
#include "base/error.h"
#include "builder/build_steps.h"
#include "builder/source_files.h"
#include "hooks/hooks.h"
#include "mirror/artifact/app_rules.h"

namespace dae::builder {

namespace {

constexpr const char* kVersion = "org.opencontainers.image.version";
constexpr const char* kRevision = "org.opencontainers.image.revision";
constexpr const char* kCreated = "org.opencontainers.image.created";

std::vector<TarEntry> tar_entries(const Path& root, const std::vector<std::string>& files) {
  std::vector<TarEntry> out;
  for (const std::string& name : files) {
    TarEntry entry;
    entry.name = name;
    entry.source = root / name;
    const auto info = file_info(entry.source);
    if (!info) throw Error(ErrorKind::not_found, "a source file went away", entry.source.string());
    // The owner's bit alone: the others depend on the umask a clone was made with.
    entry.executable = info->is_file() && (info->mode & 0100) != 0;
    if (const auto target = read_link(entry.source)) {
      entry.link_target = *target;
      entry.source.clear();
    }
    out.push_back(std::move(entry));
  }
  return out;
}

mirror::Descriptor source_layer(const AppFile& app, const BuildPlan& plan, BlobStore& blobs, ProcessRunner& runner,
                                EventSink& events) {
  const TempDir work("dae-build-");
  Path root = app.dir;
  std::vector<std::string> files = plan.files;
  if (!app.build_steps.empty()) {
    root = work.path() / "source";
    make_dirs(root);
    run_build_steps(app, plan, root, runner, events);
    files = walk_source(app, root);
  }
  const Path file = work.path() / "source.tar.zst";
  Activity activity(events, "packing the source", app.config.name);
  const TarResult tar = write_tar_zst(file, tar_entries(root, files), plan.version.commit_time_s);
  mirror::Descriptor out;
  out.media_type = mirror::kSourceType;
  out.digest = blobs.adopt(file, Digest::parse(tar.zst_sha256));
  out.size_bytes = tar.zst_size_bytes;
  out.annotations[mirror::kTarDigest] = "sha256:" + tar.tar_sha256;
  activity.finish();
  return out;
}

std::vector<mirror::Descriptor> wheel_layers(const BuildPlan& plan, const BlobStore& blobs) {
  std::vector<mirror::Descriptor> out;
  for (const resolver::WheelToInstall& wheel : plan.wheels) {
    if (!mirror::is_wheel_file_name(wheel.file_name)) {
      throw Error(ErrorKind::bad_input, fmt::format("`{}` is not a wheel", wheel.file_name), wheel.name);
    }
    const auto size = blobs.size_bytes(wheel.digest);
    if (!size) {
      throw Error(ErrorKind::not_found, fmt::format("the wheel `{}` is not in the local store", wheel.file_name),
                  wheel.digest.oci(), "fetch it with `dae sync`");
    }
    out.push_back({mirror::kWheelType, wheel.digest, *size, {{mirror::kTitle, wheel.file_name}}});
  }
  return out;
}

// Sorted by file name; one wheel serves several targets, but two different files of one name are a mistake.
BuildPlan with_sorted_wheels(BuildPlan plan) {
  auto& wheels = plan.wheels;
  std::sort(wheels.begin(), wheels.end(), [](const auto& a, const auto& b) {
    return a.file_name != b.file_name ? a.file_name < b.file_name : a.digest < b.digest;
  });
  const auto same = [](const auto& a, const auto& b) { return a.file_name == b.file_name && a.digest == b.digest; };
  wheels.erase(std::unique(wheels.begin(), wheels.end(), same), wheels.end());
  const auto twice = std::adjacent_find(wheels.begin(), wheels.end(),
                                        [](const auto& a, const auto& b) { return a.file_name == b.file_name; });
  if (twice != wheels.end()) {
    throw Error(ErrorKind::bad_input, fmt::format("two different wheels are called `{}`", twice->file_name));
  }
  return plan;
}

mirror::AppConfig config_of(const AppFile& app, const BuildPlan& plan) {
  mirror::AppConfig out = app.config;
  out.version = plan.version.version;
  out.revision = plan.version.revision;
  if (const auto lock = read_file_if_exists(plan.lock_path)) out.lock_digest = Digest::of(*lock).oci();
  return out;
}

void run_point(const char* point, const AppFile& app, const BuiltArtifact& built, const std::string& revision,
               ProcessRunner& runner, EventSink& events) {
  hooks::HookRequest request;
  request.point = point;
  request.app_dir = app.dir;
  const auto commands = app.config.hooks.find(point);
  if (commands != app.config.hooks.end()) request.commands = commands->second;
  request.context.app = app.config.name;
  request.context.version = built.version;
  request.context.revision = revision;
  if (!built.digest.empty()) request.context.digest = built.digest.oci();
  request.document = Value::object({{"app", app.config.name},
                                    {"version", built.version},
                                    {"revision", revision},
                                    {"dirty", built.dirty},
                                    {"digest", request.context.digest}});
  hooks::run_hooks(request, runner, events);
}

void warn_of_what_does_not_run(const AppFile& app, EventSink& events) {
  for (const mirror::Instance& instance : app.config.instances) {
    if (instance.type != "cron") continue;
    warning(events, fmt::format("`instances.{}`: nodes do not run cron instances yet", instance.name));
  }
}

}  // namespace

BuildPlan plan_build(const AppFile& app, const std::string& project_version,
                     std::vector<resolver::WheelToInstall> wheels) {
  BuildPlan out;
  out.version = source_version(app, project_version);
  out.files = source_files(app);
  out.wheels = std::move(wheels);
  out.lock_path = app.dir / "pylock.toml";
  return with_sorted_wheels(std::move(out));
}

BuiltArtifact build_artifact(const AppFile& app, const BuildPlan& wanted, BlobStore& blobs, ProcessRunner& runner,
                             EventSink& events) {
  const BuildPlan plan = with_sorted_wheels(wanted);
  warn_of_what_does_not_run(app, events);
  BuiltArtifact out;
  out.version = plan.version.version;
  out.repository = "apps/" + app.config.name;
  out.dirty = plan.version.dirty;
  run_point("before_build", app, out, plan.version.revision, runner, events);

  mirror::Manifest& manifest = out.manifest;
  manifest.layers = wheel_layers(plan, blobs);  // first: a missing wheel is told before anything is packed
  for (const auto& layer : manifest.layers) out.wheel_bytes += layer.size_bytes;
  out.wheels = static_cast<int>(manifest.layers.size());
  manifest.layers.insert(manifest.layers.begin(), source_layer(app, plan, blobs, runner, events));
  out.source_bytes = manifest.layers.front().size_bytes;

  const std::string config = canonical_json(to_value(config_of(app, plan)));
  manifest.config = {mirror::kConfigType, blobs.put(config), config.size(), {}};
  manifest.annotations = {{mirror::kTitle, app.config.name}, {kVersion, out.version}};
  if (plan.version.in_git) {
    manifest.annotations[kRevision] = plan.version.revision;
    manifest.annotations[kCreated] = format_utc(plan.version.commit_time_s * 1000);
  }
  out.digest = blobs.put(manifest.canonical());
  run_point("after_build", app, out, plan.version.revision, runner, events);
  return out;
}

}  // namespace dae::builder
