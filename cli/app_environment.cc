#include "cli/app_environment.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "base/blob_store.h"
#include "base/error.h"
#include "cli/build_tools.h"
#include "cli/pinning.h"
#include "cli/user_config.h"
#include "resolver/install/fetch_source.h"
#include "resolver/install/unpacked_store.h"

namespace dae::cli {

Path lock_path(const builder::AppFile& app) {
  return app.dir / "pylock.toml";
}
Path environment_path(const builder::AppFile& app) {
  return app.dir / ".venv";
}

WantedWheels wanted_from_lock(const std::vector<resolver::Selected>& selected, const Path& base_dir) {
  WantedWheels wanted;
  for (const resolver::Selected& package : selected) {
    if (!package.is_wheel) {
      wanted.complete = false;
      continue;
    }
    const Digest digest = Digest::parse(package.file.sha256);
    wanted.wheels.push_back({package.name, package.version, package.file.name, digest, ""});
    if (package.direct) wanted.wheels.back().direct_url = resolver::archive_direct_url(package, digest, base_dir);
  }
  return wanted;
}

namespace {

// What has to be fetched or built before `plan` can be applied: a wheel that is unpacked needs no archive any more.
std::vector<resolver::Selected> missing_of(const std::vector<resolver::Selected>& selected,
                                           const resolver::InstallPlan& plan, const resolver::StorePaths& store,
                                           const resolver::Interpreter& python) {
  const std::string tag = resolver::store_tag(python);
  std::set<std::string> missing;
  for (const resolver::WheelToInstall& wheel : plan.add)
    if (!resolver::find_unpacked(store, wheel.digest.hex(), tag)) missing.insert(wheel.digest.hex());
  std::vector<resolver::Selected> out;
  for (const resolver::Selected& package : selected)
    if (!package.is_wheel || missing.contains(Digest::parse(package.file.sha256).hex())) out.push_back(package);
  return out;
}

// Blobs that are not what their names say: a power cut tears what was written just before (share/doc/formats/
// blob-store.md). They are removed, by the unpacking or here; true when there were any.
bool any_torn(const std::map<std::string, Digest>& wheels, BlobStore& blobs, EventSink& events) {
  bool any = false;
  for (const auto& [name, digest] : wheels) {
    if (blobs.verify(digest)) continue;
    blobs.remove(digest);
    note(events, "`" + name + "` was damaged in the cache; it is fetched again");
    any = true;
  }
  return any;
}

struct Supply {
  Context& context;
  const resolver::Interpreter& python;
  Transport& transport;
  BlobStore& blobs;
  const resolver::StorePaths& store;
  resolver::FetchOptions fetch;
};

// Each wheel is unpacked while the others are still on their way. The result is in the order of `packages`.
std::vector<resolver::WheelToInstall> fetch_and_unpack(const std::vector<resolver::Selected>& packages, Supply supply) {
  if (packages.empty()) return {};
  Context& context = supply.context;
  for (bool again = false;; again = true) {
    resolver::Unpacker unpacker(supply.python, supply.blobs, supply.store, *context.events);
    std::mutex mutex;
    std::map<std::string, Digest> there;
    supply.fetch.on_wheel = [&](const resolver::WheelToInstall& wheel) {
      {
        const std::scoped_lock lock(mutex);
        there.emplace(wheel.file_name, wheel.digest);
      }
      unpacker.add(wheel);
    };
    try {
      auto wheels = resolver::fetch_selected(packages, supply.python, supply.transport, supply.blobs, cache_dir(),
                                             *context.runner, *context.events, supply.fetch);
      unpacker.finish();
      return wheels;
    } catch (const Error& error) {
      const bool contents = error.kind() == ErrorKind::verification || error.kind() == ErrorKind::bad_input;
      if (again || !contents || !any_torn(there, supply.blobs, *context.events)) throw;
    }
  }
}

// The wheels that were built take the places that the lock gives their sources.
std::vector<resolver::WheelToInstall> with_built(const std::vector<resolver::Selected>& selected,
                                                 const std::vector<resolver::WheelToInstall>& known,
                                                 const std::vector<resolver::Selected>& brought,
                                                 const std::vector<resolver::WheelToInstall>& came) {
  std::vector<const resolver::WheelToInstall*> built;
  for (size_t i = 0; i < brought.size(); ++i)
    if (!brought[i].is_wheel) built.push_back(&came[i]);
  std::vector<resolver::WheelToInstall> out;
  auto next_built = built.begin();
  auto next_known = known.begin();
  for (const resolver::Selected& package : selected) out.push_back(package.is_wheel ? *next_known++ : **next_built++);
  return out;
}

}  // namespace

resolver::FetchOptions fetch_options(Context& context, const Path& project_dir) {
  resolver::FetchOptions out;
  out.offline = context.globals.offline;
  out.max_per_host = concurrent_downloads();
  out.base_dir = project_dir;
  out.credentials = [&context, project_dir]() -> resolver::CredentialStore& {
    return download_credentials(context, project_dir);
  };
  return out;
}

resolver::InstallPlan plan_environment(const builder::AppFile& app, const resolver::Interpreter& python,
                                       const std::vector<resolver::WheelToInstall>& wanted, bool exact) {
  const Path env = environment_path(app);
  resolver::InstallPlan plan = resolver::plan_install(env, python, wanted);
  if (exact) resolver::plan_exact(plan, env, python, wanted);
  return plan;
}

EnvironmentChange sync_environment(Context& context, const builder::AppFile& app, const resolver::Lock& lock,
                                   const resolver::Interpreter& python, Transport& transport,
                                   const resolver::SelectOptions& which, bool locked, resolver::LinkMode link_mode,
                                   bool exact) {
  const int64_t started_ms = context.clock.monotonic_ms();
  EnvironmentChange change;
  const std::vector<resolver::Selected> selected = resolver::select(lock, python.target(), which);
  change.packages = static_cast<int>(selected.size());
  WantedWheels wanted = wanted_from_lock(selected, app.dir);
  const Path env = environment_path(app);
  change.plan = plan_environment(app, python, wanted.wheels, exact);
  if (!wanted.complete || !change.plan.empty()) {
    // A cache: what a power cut tears is found out by size, digest and contents, and fetched again.
    const auto blobs = open_blob_store(blobs_dir(), Durability::none);
    resolver::StorePaths store{unpacked_dir(), compiles_bytecode()};
    store.link_mode = link_mode;
    resolver::FetchOptions fetch = fetch_options(context, app.dir);
    std::unique_ptr<resolver::SourceBuilder> builder;
    if (!wanted.complete) {
      builder = make_source_builder(context, {python, app.dir, borrowed(lock), locked}, transport, *blobs);
      fetch.builder = builder.get();
    }
    const FileLock in_use = resolver::lock_store_for_use(store);
    const std::vector<resolver::Selected> missing = missing_of(selected, change.plan, store, python);
    const auto came = fetch_and_unpack(missing, {context, python, transport, *blobs, store, fetch});
    if (!wanted.complete) {
      wanted.wheels = with_built(selected, wanted.wheels, missing, came);
      change.plan = plan_environment(app, python, wanted.wheels, exact);
    }
    change.from_store = static_cast<int>(change.plan.add.size() - std::min(change.plan.add.size(), missing.size()));
    if (!change.plan.empty()) resolver::apply_install(change.plan, env, python, *blobs, store, *context.events);
  }
  for (const std::string& line : change.plan.immovable) warning(*context.events, "stays in the environment: " + line);
  change.duration_ms = context.clock.monotonic_ms() - started_ms;
  return change;
}

void require_environment(const builder::AppFile& app, const resolver::Interpreter& python) {
  if (!exists(lock_path(app)))
    throw Error(ErrorKind::usage, "nothing is installed yet", app.dir.string(), "run `dae install`");
  // Groups and extras may be there or not, as the last install was asked for.
  WantedWheels wanted = wanted_from_lock(
      resolver::select(resolver::read_lock(lock_path(app)), python.target(), {{}, {}, false}), app.dir);
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
