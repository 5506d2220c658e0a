#include "cli/app_environment.h"

#include "base/blob_store.h"
#include "base/error.h"
#include "cli/build_tools.h"
#include "cli/pinning.h"
#include "cli/user_config.h"

namespace dae::cli {

Path lock_path(const builder::AppFile& app) {
  return app.dir / "pylock.toml";
}
Path environment_path(const builder::AppFile& app) {
  return app.dir / ".venv";
}

WantedWheels wanted_from_lock(const std::vector<resolver::Selected>& selected) {
  WantedWheels wanted;
  for (const resolver::Selected& package : selected) {
    if (!package.is_wheel) {
      wanted.complete = false;
      continue;
    }
    wanted.wheels.push_back({package.name, package.version, package.file.name, Digest::parse(package.file.sha256), ""});
  }
  return wanted;
}

EnvironmentChange sync_environment(Context& context, const builder::AppFile& app, const resolver::Lock& lock,
                                   const resolver::Interpreter& python, Transport& transport,
                                   const resolver::SelectOptions& which, bool locked) {
  int64_t started_ms = context.clock.monotonic_ms();
  EnvironmentChange change;
  std::vector<resolver::Selected> selected = resolver::select(lock, python.target(), which);
  change.packages = static_cast<int>(selected.size());
  WantedWheels wanted = wanted_from_lock(selected);
  Path env = environment_path(app);
  // A cache: what a power cut tears is found out by size, digest and contents, and fetched again.
  auto blobs = open_blob_store(blobs_dir(), Durability::none);
  resolver::FetchOptions fetch;
  fetch.offline = context.globals.offline;
  fetch.max_per_host = concurrent_downloads();
  fetch.base_dir = app.dir;
  fetch.credentials = [&]() -> auto& {
    return download_credentials(context, app.dir);
  };
  std::unique_ptr<resolver::SourceBuilder> builder;
  if (!wanted.complete) {
    builder = make_source_builder(context, {python, app.dir, borrowed(lock), locked}, transport, *blobs);
    fetch.builder = builder.get();
    wanted.wheels = resolver::fetch_selected(selected, python, transport, *blobs, cache_dir(), *context.runner,
                                             *context.events, fetch);
    change.plan = resolver::plan_install(env, python, wanted.wheels);
  } else {
    change.plan = resolver::plan_install(env, python, wanted.wheels);
    if (!change.plan.add.empty()) {
      for (const resolver::WheelToInstall& wheel : change.plan.add)
        if (blobs->has(wheel.digest)) ++change.from_store;
      resolver::fetch_selected(selected, python, transport, *blobs, cache_dir(), *context.runner, *context.events,
                               fetch);
    }
  }
  if (!change.plan.empty())
    resolver::apply_install(change.plan, env, python, *blobs, {unpacked_dir(), compiles_bytecode()}, *context.events);
  change.duration_ms = context.clock.monotonic_ms() - started_ms;
  return change;
}

void require_environment(const builder::AppFile& app, const resolver::Interpreter& python) {
  if (!exists(lock_path(app)))
    throw Error(ErrorKind::usage, "nothing is installed yet", app.dir.string(), "run `dae install`");
  // Groups and extras may be there or not, as the last install was asked for.
  WantedWheels wanted =
      wanted_from_lock(resolver::select(resolver::read_lock(lock_path(app)), python.target(), {{}, {}, false}));
  resolver::InstallPlan plan = resolver::plan_install(environment_path(app), python, wanted.wheels);
  // With sdists in the lock their wheels' digests are not known here: only what the lock names is compared.
  if (plan.make_environment || !plan.add.empty())
    throw Error(ErrorKind::usage, "the environment is not what pylock.toml says", environment_path(app).string(),
                "run `dae install`");
}

resolver::Lock require_lock(const builder::AppFile& app, const resolver::ProjectFile& project,
                            const resolver::Interpreter& python) {
  Path path = lock_path(app);
  if (!exists(path)) throw Error(ErrorKind::usage, "there is no pylock.toml", app.dir.string(), "run `dae install`");
  resolver::Lock lock = resolver::read_lock(path);
  PinSubject subject = subject_of_app(app, project, python);
  if (!lock.input_digest.empty() && lock.targets.size() == 1 && app.config.targets.empty())
    subject.targets = lock.targets;  // locked on another machine: its target stands
  if (!lock.input_digest.empty() && resolver::lock_input_digest(lock_request(subject, nullptr)) != lock.input_digest)
    throw Error(ErrorKind::usage, "`pylock.toml` does not answer `" + project.path.filename().string() + "` any more",
                path.string(), "run `dae install`");
  return lock;
}

}  // namespace dae::cli
