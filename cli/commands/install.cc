// dae install [NAME…]: pin, fetch, link. Nothing is written before a solution is known.
#include <fmt/format.h>

#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "cli/app_environment.h"
#include "cli/bundle_install.h"
#include "cli/commands/commands.h"
#include "cli/environment_check.h"
#include "cli/no_solution_view.h"
#include "cli/pinning.h"
#include "cli/user_config.h"

namespace dae::cli {
namespace {

struct Options {
  PinOptions pin;
  std::vector<std::string> names, extras, groups;
  std::string group, optional, bundle, link_mode;
  bool dev = false, no_dev = false, dry_run = false, no_sync = false, exact = false, verify = false, repair = false;
};

resolver::EditTarget table_of(const Options& options) {
  if (!options.optional.empty()) return {resolver::EditTarget::Kind::extra, options.optional};
  if (options.dev) return {resolver::EditTarget::Kind::group, "dev"};
  if (!options.group.empty()) return {resolver::EditTarget::Kind::group, options.group};
  return {};
}

// "flask 3.1.2   pyproject.toml" for the direct ones first, then who brought the rest.
void print_added(Context& context, const resolver::InstallPlan& plan, const resolver::Resolution& resolution,
                 const resolver::ProjectFile& project, size_t limit) {
  std::map<std::string, std::string> origin;
  std::vector<std::string> direct;
  for (const auto& root : project.requirements) {
    origin[root.requirement.key] = project.path.filename().string();
    direct.push_back(root.requirement.key);
  }
  for (const auto& pin : resolution.pins)
    if (!origin.contains(pin.name) && !pin.required_by.empty()) origin[pin.name] = pin.required_by.front();
  std::vector<const resolver::WheelToInstall*> ordered;
  for (bool want_direct : {true, false})
    for (const auto& wheel : plan.add)
      if ((std::find(direct.begin(), direct.end(), wheel.name) != direct.end()) == want_direct)
        ordered.push_back(&wheel);
  for (size_t i = 0; i < ordered.size() && i < limit; ++i)
    context.say(fmt::format("  + {:<24} {}", ordered[i]->name + " " + ordered[i]->version, origin[ordered[i]->name]));
  if (ordered.size() > limit) context.say(fmt::format("  … {} more", ordered.size() - limit));
  std::set<std::string> added;
  for (const auto& wheel : plan.add) added.insert(wheel.name);
  for (const auto& [name, version] : plan.remove)
    if (!added.contains(name)) context.say("  - " + name + " " + version);
  for (const auto& package : plan.foreign)
    context.say("  - " + package.name + " " + package.version + "   (not installed by dae)");
}

Value to_json(const resolver::Lock& lock, const EnvironmentChange* change, bool lock_changed) {
  Value packages = Value::array();
  for (const auto& package : lock.packages)
    packages.push_back(Value::object({{"name", package.name}, {"version", package.version}}));
  Value out = Value::object({{"packages", std::move(packages)}, {"lock_changed", lock_changed}});
  if (change) {
    Value added = Value::array(), removed = Value::array();
    for (const auto& wheel : change->plan.add)
      added.push_back(Value::object({{"name", wheel.name}, {"version", wheel.version}}));
    for (const auto& [name, version] : change->plan.remove)
      removed.push_back(Value::object({{"name", name}, {"version", version}}));
    for (const auto& package : change->plan.foreign)
      removed.push_back(Value::object({{"name", package.name}, {"version", package.version}, {"foreign", true}}));
    out.set("added", std::move(added)).set("removed", std::move(removed));
  }
  return out;
}

// The project as it will stand with the names of the command line added; not written yet.
resolver::ProjectFile with_names(const Options& options, resolver::ProjectFile project, std::string& text) {
  for (const std::string& name : options.names) resolver::Requirement::parse(name);
  text = resolver::with_requirements(project, text, options.names, table_of(options));
  project = resolver::parse_project(project.path, text);
  // These lines are not in the file yet: messages name where the user wrote them.
  for (const std::string& name : options.names)
    for (auto& root : project.requirements)
      if (root.requirement.key == resolver::Requirement::parse(name).key) root.origin = "command line";
  return project;
}

int dry_run(const Options& options, Context& context, const builder::AppFile& app, const Pinned& pinned,
            const resolver::ProjectFile& project, const resolver::Interpreter& python,
            const resolver::SelectOptions& which) {
  EnvironmentChange change;
  const auto wanted = wanted_from_lock(resolver::select(pinned.lock(), python.target(), which), app.dir).wheels;
  change.plan = plan_environment(app, python, wanted, options.exact);
  print_added(context, change.plan, std::get<resolver::LockOutcome>(pinned.outcome).resolution, project, 100);
  for (const std::string& line : change.plan.immovable) warning(*context.events, "stays in the environment: " + line);
  if (pinned.lock_changed) context.say("would write pylock.toml");
  if (context.globals.json) context.print_json(to_json(pinned.lock(), &change, pinned.lock_changed));
  context.say("nothing was changed (dry run)");
  return 0;
}

int run_bundle(const Options& options, Context& context) {
  if (!options.names.empty() || options.pin.upgrade || !options.pin.upgrade_packages.empty() || options.no_sync)
    throw Error(ErrorKind::usage, "`--bundle` installs what the bundle's lock says, and nothing else");
  return install_from_bundle(context, {options.bundle, options.pin.python, options.extras, options.groups,
                                       options.no_dev, options.dry_run, options.exact});
}

int run(const Options& options, Context& context) {
  if (options.verify && (options.repair || !options.names.empty() || !options.bundle.empty()))
    throw Error(ErrorKind::usage, "`--verify` installs nothing");
  if (options.exact && (options.verify || options.no_sync))
    throw Error(ErrorKind::usage, "`--exact` goes with neither `--verify` nor `--no-sync`");
  if (options.repair && (options.no_sync || options.dry_run || !options.bundle.empty()))
    throw Error(ErrorKind::usage, "`--repair` goes with neither `--no-sync`, `--dry-run` nor `--bundle`");
  if (!options.bundle.empty()) return run_bundle(options, context);
  builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  if (options.verify) return verify_and_tell(context, environment_path(app));
  resolver::Interpreter python = interpreter_for(context, app, options.pin.python);
  resolver::ProjectFile project = resolver::read_project(app.dir);
  std::string old_text = read_file(project.path), new_text = old_text;
  if (!options.names.empty()) project = with_names(options, project, new_text);

  const PinSubject subject = subject_of_app(app, project, python);
  const Pinned pinned = pin(context, subject, options.pin, &python);
  if (const auto* no = pinned.no_solution())
    return report_no_solution(context, *no, lock_request(subject, &options.pin));
  if (!pinned.current) context.say(pinned.summary);
  const resolver::SelectOptions which{options.extras, options.groups, !options.no_dev};
  if (options.dry_run) return dry_run(options, context, app, pinned, project, python, which);

  if (new_text != old_text) write_file_atomic(project.path, new_text);
  if (pinned.lock_changed) write_file_atomic(subject.lock, pinned.text, 0644, Durability::contents);
  if (options.no_sync) {
    if (context.globals.json) context.print_json(to_json(pinned.lock(), nullptr, pinned.lock_changed));
    if (pinned.lock_changed) context.say("wrote pylock.toml");
    return 0;
  }
  if (options.repair) {
    const size_t mended = repair_environment(context, app, pinned.lock(), python,
                                             context.transport_for_index(pinned.ca_file), which, options.pin.locked);
    if (mended != 0) context.say(fmt::format("installed {} damaged packages anew", mended));
  }
  EnvironmentChange change =
      sync_environment(context, app, pinned.lock(), python, context.transport_for_index(pinned.ca_file), which,
                       options.pin.locked, chosen_link_mode(options.link_mode), options.exact);
  if (change.plan.empty() && !pinned.lock_changed) {
    context.say(
        fmt::format("nothing to do: {} packages installed   {}", change.packages, format_duration(change.duration_ms)));
  } else {
    if (!change.plan.empty())
      context.say(fmt::format("installed {} packages   {}  ({} from the store)", change.plan.add.size(),
                              format_duration(change.duration_ms), change.from_store));
    print_added(context, change.plan, std::get<resolver::LockOutcome>(pinned.outcome).resolution, project, 12);
    if (pinned.lock_changed) context.say("wrote pylock.toml");
  }
  if (context.globals.json) context.print_json(to_json(pinned.lock(), &change, pinned.lock_changed));
  return 0;
}

}  // namespace

Command install_command() {
  return {
      "install", "pin dependencies, write pylock.toml, make .venv equal to it", "App", [](CommandLine& line) -> Action {
        auto options = std::make_shared<Options>();
        line.positionals("NAME", options->names, "requirements to add, such as flask or \"werkzeug>=3\"");
        line.flag("--dev", options->dev, "add them to the dependency group `dev`");
        line.option("--to-group", options->group, "add them to this dependency group");
        line.option("--to-extra", options->optional, "add them to this optional dependency");
        line.list("--extra", options->extras, "install this optional dependency too");
        line.list("--group", options->groups, "install this dependency group too");
        line.flag("--no-dev", options->no_dev, "leave the default dependency groups out");
        declare_pin_options(line, options->pin);
        line.option("--bundle", options->bundle, "from this folder or tar of `dae bundle`, without network");
        line.flag("-n,--dry-run", options->dry_run, "say what would be done");
        line.flag("--exact", options->exact, "remove from .venv what dae did not install, too");
        line.flag("--verify", options->verify, "install nothing: compare every file of .venv with what was installed");
        line.flag("--repair", options->repair, "install anew what is damaged in .venv");
        line.choice("--link-mode", options->link_mode, {"automatic", "hardlink", "reflink", "copy", "symlink"},
                    "how files get into .venv; symlink makes one link a package, and .venv needs the cache then");
        line.flag("--no-sync", options->no_sync, "write the lock only");
        line.details(
            "Without NAME it makes .venv equal to what pyproject.toml (or pip-req.txt) and pylock.toml say; earlier\n"
            "pins stay unless --upgrade forgets them. Nothing is written before a solution is known.\n\n"
            "  dae install flask                 add a requirement, pin it, install it\n"
            "  dae install --dev pytest          the same for the group `dev`, which is not deployed\n"
            "  dae install --locked              in CI: fail when the lock is not up to date\n"
            "  dae install -P werkzeug           let one pin move, keep the others\n"
            "  dae install --bundle app.tar      where there is no network: from what `dae bundle` wrote");
        return [options](Context& context) { return run(*options, context); };
      }};
}

}  // namespace dae::cli
