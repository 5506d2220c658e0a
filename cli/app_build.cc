#include "cli/app_build.h"

#include <fmt/format.h>

#include <set>

#include "base/error.h"
#include "cli/app_environment.h"
#include "cli/build_tools.h"

namespace dae::cli {

namespace {

// What tells one wheel layer from another before it is built.
std::string identity_of(const resolver::Selected& package) {
  if (package.directory)
    throw Error(ErrorKind::refused,
                fmt::format("`{}` is a folder of this machine, which no artifact can pin", package.name),
                package.directory->path,
                "require it from a repository (`git+https://…`) or an index; sources of the app itself need no entry");
  if (package.vcs) return package.vcs->commit_id + " " + package.vcs->subdirectory + " " + package.name;
  return package.file.sha256 + " " + package.subdirectory;
}

}  // namespace

builder::BuiltArtifact build_app(Context& context, const builder::AppFile& app) {
  resolver::Interpreter python = interpreter_for(context, app, "");
  resolver::ProjectFile project = resolver::read_project(app.dir);
  resolver::Lock lock = require_lock(app, project, python);

  // One wheel layer for each file that some declared target selects.
  std::vector<resolver::Target> targets = lock.targets;
  if (targets.empty()) targets.push_back(python.target());
  std::vector<resolver::Selected> selected;
  std::set<std::string> seen;
  for (const resolver::Target& target : targets)
    for (resolver::Selected& package : resolver::select(lock, target, {{}, {}, false}))
      if (seen.insert(identity_of(package)).second) selected.push_back(std::move(package));

  auto blobs = open_blob_store(blobs_dir());
  WantedWheels wanted = wanted_from_lock(selected, app.dir);
  bool all_here = wanted.complete;
  for (const auto& wheel : wanted.wheels) all_here = all_here && blobs->has(wheel.digest);
  if (!all_here) {
    Path ca_file;
    if (!context.globals.offline) ca_file = choose_index(context, "", &project).ca_file;
    resolver::FetchOptions fetch = fetch_options(context, app.dir);
    Transport& transport = context.transport_for_index(ca_file);
    const auto builder = make_source_builder(context, {python, app.dir, borrowed(lock), true}, transport, *blobs);
    fetch.builder = builder.get();
    wanted.wheels = resolver::fetch_selected(selected, python, transport, *blobs, cache_dir(), *context.runner,
                                             *context.events, fetch);
  }
  builder::BuildPlan plan = builder::plan_build(app, project.version, wanted.wheels);
  plan.lock_path = lock_path(app);
  builder::BuiltArtifact built = builder::build_artifact(app, plan, *blobs, *context.runner, *context.events);
  builder::remember_build(app, built);
  return built;
}

mirror::PushResult publish_artifact(Context& context, const builder::BuiltArtifact& built, const std::string& mirror,
                                    bool allow_dirty) {
  if (built.dirty && !allow_dirty)
    throw Error(ErrorKind::refused, "the work tree has changes that are not committed", built.version,
                "commit them, or publish with `--dirty`");
  auto blobs = open_blob_store(blobs_dir());
  mirror::RegistryClient registry(context.transport(), mirror);
  // A tag may not hold '+': OCI distribution-spec, "Pulling manifests".
  return registry.push(built.repository, mirror::tag_of_version(built.version), built.manifest, *blobs,
                       *context.events);
}

std::string describe(const builder::BuiltArtifact& built, int64_t duration_ms) {
  return fmt::format("{} {}   sha256:{}…   source {}, {} wheels {}   {}",
                     built.repository.substr(built.repository.find('/') + 1), built.version, built.digest.short_hex(),
                     format_bytes(built.source_bytes), built.wheels, format_bytes(built.wheel_bytes),
                     format_duration(duration_ms));
}

std::string describe(const mirror::PushResult& pushed) {
  return fmt::format("published: {} of {} blobs sent ({})", pushed.blobs_sent, pushed.blobs_total,
                     format_bytes(pushed.bytes_sent));
}

Value to_value(const builder::BuiltArtifact& built) {
  return Value::object({{"repository", built.repository},
                        {"version", built.version},
                        {"digest", built.digest.oci()},
                        {"dirty", built.dirty},
                        {"source_bytes", built.source_bytes},
                        {"wheel_bytes", built.wheel_bytes},
                        {"wheels", built.wheels}});
}

}  // namespace dae::cli
