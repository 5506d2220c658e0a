#include "cli/bundle_install.h"

#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "base/strings.h"
#include "cli/build_tools.h"
#include "cli/pinning.h"
#include "cli/user_config.h"
#include "resolver/bundle/open.h"

namespace dae::cli {
namespace {

// The folder it is unpacked to goes with this object.
struct Opened {
  std::unique_ptr<TempDir> unpacked;
  resolver::OpenBundle bundle;
};

Opened open_any(const Path& path) {
  Opened out;
  const Path place = std::filesystem::absolute(path);
  if (!exists(place)) throw Error(ErrorKind::not_found, "there is no such bundle", path.string());
  if (std::filesystem::is_directory(place)) {
    out.bundle = resolver::open_bundle(place);
    return out;
  }
  // What a killed run leaves there goes with `dae cache prune`.
  make_dirs(blobs_dir() / "tmp");
  out.unpacked = std::make_unique<TempDir>(".bundle-", blobs_dir() / "tmp");
  out.bundle = resolver::open_bundle_archive(place, out.unpacked->path());
  return out;
}

// True: the app has no lock yet, and gets this one.
bool check_lock(const builder::AppFile& app, const resolver::OpenBundle& bundle) {
  const auto text = read_file_if_exists(lock_path(app));
  if (!text) return true;
  if (*text == bundle.lock_text) return false;
  throw Error(ErrorKind::refused, "`pylock.toml` is not the lock that the bundle was made from",
              lock_path(app).string(), "make the bundle again, or take the lock away to get the bundle's");
}

// Where there is a project, its requirements are what the lock answers.
void check_project(const builder::AppFile& app, const resolver::Lock& lock, const resolver::Interpreter& python) {
  if (lock.input_digest.empty()) return;
  if (!exists(app.dir / "pyproject.toml") && !exists(app.dir / "pip-req.txt")) return;
  const resolver::ProjectFile project = resolver::read_project(app.dir);
  PinSubject subject = subject_of_app(app, project, python);
  if (lock.targets.size() == 1 && app.config.targets.empty()) subject.targets = lock.targets;
  if (resolver::lock_input_digest(lock_request(subject, nullptr)) == lock.input_digest) return;
  throw Error(ErrorKind::refused,
              fmt::format("the lock of the bundle does not answer `{}`", project.path.filename().string()),
              project.path.string(), "run `dae lock` and `dae bundle` where there is a network");
}

resolver::SelectOptions wanted(const BundleInstall& options, const resolver::BundleManifest& manifest) {
  resolver::SelectOptions out = manifest.which;
  if (!options.extras.empty()) out.extras = options.extras;
  if (!options.groups.empty()) out.groups = options.groups;
  if (options.no_dev) out.default_groups = false;
  return out;
}

class Installation {
 public:
  Installation(Context& context, const builder::AppFile& app, const resolver::OpenBundle& bundle,
               const resolver::Interpreter& python, bool exact)
      : context_(context), app_(app), bundle_(bundle), python_(python), exact_(exact) {}

  resolver::InstallPlan plan(std::vector<resolver::BundledPackage> packages) {
    for (resolver::BundledPackage& package : packages) {
      if (package.build) build(package);
    }
    std::vector<resolver::WheelToInstall> wheels;
    for (const resolver::BundledPackage& package : packages) wheels.push_back(package.wheel);
    packages_ = std::move(packages);
    return plan_environment(app_, python_, wheels, exact_);
  }

  void apply(const resolver::InstallPlan& plan) {
    for (const resolver::WheelToInstall& wheel : plan.add) {
      for (const resolver::BundledPackage& package : packages_) {
        if (package.wheel.digest == wheel.digest && !package.build)
          resolver::take_bundled(bundle_, *package.file, context_.blobs());
      }
    }
    resolver::apply_install(plan, environment_path(app_), python_, context_.blobs(),
                            {unpacked_dir(), compiles_bytecode()}, *context_.events);
  }

 private:
  void build(resolver::BundledPackage& package) {
    if (!builder_) {
      builder_ =
          make_source_builder(context_, {python_, app_.dir, borrowed(bundle_.lock)}, *transport_, context_.blobs());
      for (const resolver::BundleFile& file : bundle_.manifest.files)
        if (file.for_building) resolver::take_bundled(bundle_, file, context_.blobs());
    }
    resolver::take_bundled(bundle_, *package.file, context_.blobs());
    resolver::FetchOptions fetch;
    fetch.offline = true;
    fetch.base_dir = app_.dir;
    fetch.builder = builder_.get();
    package.wheel = resolver::fetch_selected({package.what}, python_, *transport_, context_.blobs(), cache_dir(),
                                             *context_.runner, *context_.events, fetch)
                        .front();
  }

  Context& context_;
  const builder::AppFile& app_;
  const resolver::OpenBundle& bundle_;
  const resolver::Interpreter& python_;
  const bool exact_;
  const std::unique_ptr<Transport> transport_ =
      resolver::make_refusing_transport("an installation from a bundle uses no network");
  std::unique_ptr<resolver::SourceBuilder> builder_;
  std::vector<resolver::BundledPackage> packages_;
};

void report(Context& context, const resolver::InstallPlan& plan, bool took_lock, bool dry_run, int64_t duration_ms) {
  for (const auto& wheel : plan.add) context.say(fmt::format("  + {} {}", wheel.name, wheel.version));
  for (const auto& [name, version] : plan.remove) context.say(fmt::format("  - {} {}", name, version));
  for (const auto& package : plan.foreign)
    context.say(fmt::format("  - {} {}   (not installed by dae)", package.name, package.version));
  for (const std::string& line : plan.immovable) warning(*context.events, "stays in the environment: " + line);
  if (context.globals.json) {
    Value added = Value::array(), removed = Value::array();
    for (const auto& wheel : plan.add)
      added.push_back(Value::object({{"name", wheel.name}, {"version", wheel.version}}));
    for (const auto& [name, version] : plan.remove)
      removed.push_back(Value::object({{"name", name}, {"version", version}}));
    for (const auto& package : plan.foreign)
      removed.push_back(Value::object({{"name", package.name}, {"version", package.version}, {"foreign", true}}));
    context.print_json(
        Value::object({{"added", std::move(added)}, {"removed", std::move(removed)}, {"lock_changed", took_lock}}));
  }
  if (dry_run) return context.say("nothing was changed (dry run)");
  if (took_lock) context.say("took pylock.toml over from the bundle");
  context.say(plan.empty() ? fmt::format("nothing to do   {}", format_duration(duration_ms))
                           : fmt::format("installed {} packages from the bundle   {}", plan.add.size(),
                                         format_duration(duration_ms)));
}

}  // namespace

int install_from_bundle(Context& context, const BundleInstall& options) {
  const int64_t started_ms = context.clock.monotonic_ms();
  context.globals.offline = true;  // whatever else is asked for on the way
  const builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  const Opened opened = open_any(options.path);
  const bool take_lock = check_lock(app, opened.bundle);
  const resolver::Interpreter python = interpreter_for(context, app, options.python);
  check_project(app, opened.bundle.lock, python);
  std::vector<resolver::BundledPackage> packages =
      resolver::packages_of_bundle(opened.bundle, python.target(), wanted(options, opened.bundle.manifest), app.dir);

  Installation installation(context, app, opened.bundle, python, options.exact);
  const resolver::InstallPlan plan = installation.plan(std::move(packages));
  if (!options.dry_run) {
    if (!plan.empty()) installation.apply(plan);
    if (take_lock) write_file_atomic(lock_path(app), opened.bundle.lock_text, 0644, Durability::contents);
  }
  report(context, plan, take_lock, options.dry_run, context.clock.monotonic_ms() - started_ms);
  return 0;
}

}  // namespace dae::cli
