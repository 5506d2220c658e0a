// dae uninstall NAME…: take requirements back, pin what is left, make .venv equal to it.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/value.h"
#include "cli/app_environment.h"
#include "cli/commands/commands.h"
#include "cli/no_solution_view.h"
#include "cli/pinning.h"

namespace dae::cli {
namespace {

struct Options {
  PinOptions pin;
  std::vector<std::string> names;
  std::string group, extra;
  bool dev = false, dry_run = false, no_sync = false;
};

resolver::EditTarget table_of(const Options& options) {
  if (!options.extra.empty()) return {resolver::EditTarget::Kind::extra, options.extra};
  if (options.dev) return {resolver::EditTarget::Kind::group, "dev"};
  if (!options.group.empty()) return {resolver::EditTarget::Kind::group, options.group};
  return {};
}

const std::vector<resolver::RootRequirement>& roots_of(const resolver::ProjectFile& project,
                                                       const resolver::EditTarget& table) {
  static const std::vector<resolver::RootRequirement> none;
  if (table.kind == resolver::EditTarget::Kind::dependencies) return project.requirements;
  const auto& tables = table.kind == resolver::EditTarget::Kind::extra ? project.extras : project.groups;
  const auto found = tables.find(resolver::normalize_name(table.name));
  return found == tables.end() ? none : found->second;
}

// A name that is no requirement there is an error: a slip of the pen must not look like a success.
void check_names(const Options& options, const resolver::ProjectFile& project) {
  const auto& roots = roots_of(project, table_of(options));
  std::vector<std::string> known;
  for (const auto& root : roots) known.push_back(root.requirement.key);
  for (const std::string& name : options.names) {
    const std::string key = resolver::normalize_name(name);
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    Error error(ErrorKind::not_found, "`" + name + "` is no direct requirement", project.path.string());
    const std::string near = nearest_name(key, known);
    error.with_hint(near.empty() ? "`dae why " + name + "` says what brings it" : "did you mean `" + near + "`?");
    throw error;
  }
}

int run(const Options& options, Context& context) {
  builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  resolver::Interpreter python = interpreter_for(context, app, options.pin.python);
  resolver::ProjectFile project = resolver::read_project(app.dir);
  check_names(options, project);
  const std::string old_text = read_file(project.path);
  const std::string new_text = resolver::without_requirements(project, old_text, options.names, table_of(options));
  project = resolver::parse_project(project.path, new_text);

  const PinSubject subject = subject_of_app(app, project, python);
  const Pinned pinned = pin(context, subject, options.pin, &python);
  if (const auto* no = pinned.no_solution())
    return report_no_solution(context, *no, lock_request(subject, &options.pin));
  const auto changes = pin_changes(pinned.previous ? &*pinned.previous : nullptr, pinned.lock());
  Value removed = Value::array();
  for (const PinChange& change : changes) {
    if (change.after.empty()) removed.push_back(Value::object({{"name", change.name}, {"version", change.before}}));
    if (change.after.empty())
      context.say("  - " + change.name + " " + change.before);
    else
      context.say("  ~ " + change.name + " " + change.before + " -> " + change.after);
  }
  for (const std::string& name : options.names) {
    const std::string key = resolver::normalize_name(name);
    for (const auto& package : pinned.lock().packages)
      if (package.name == key) context.say("`" + key + "` stays, something else needs it: `dae why " + key + "`");
  }
  Value out = Value::object({{"removed", std::move(removed)}, {"lock_changed", pinned.lock_changed}});
  if (options.dry_run) {
    context.say("nothing was changed (dry run)");
    if (context.globals.json) context.print_json(out);
    return 0;
  }
  write_file_atomic(project.path, new_text);
  if (pinned.lock_changed) write_file_atomic(subject.lock, pinned.text, 0644, Durability::contents);
  if (pinned.lock_changed) context.say("wrote pylock.toml");
  if (!options.no_sync) {
    const EnvironmentChange change =
        sync_environment(context, app, pinned.lock(), python, context.transport_for_index(pinned.ca_file));
    context.say(fmt::format("{} packages installed   {}", change.packages, format_duration(change.duration_ms)));
  }
  if (context.globals.json) context.print_json(out);
  return 0;
}

}  // namespace

Command uninstall_command() {
  return {"uninstall", "take requirements back and what only they needed", "App", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.positionals("NAME", options->names, "direct requirements to remove");
            line.flag("--dev", options->dev, "from the dependency group `dev`");
            line.option("--from-group", options->group, "from this dependency group");
            line.option("--from-extra", options->extra, "from this optional dependency");
            line.option("-p,--python", options->pin.python, "interpreter: a path or a version such as 3.11");
            line.option("--index", options->pin.index, "simple index to use (a URL, or `pip`)");
            line.flag("-n,--dry-run", options->dry_run, "say what would be done");
            line.flag("--no-sync", options->no_sync, "change the lock only");
            line.details(
                "The other pins stay as they are. Only the lines of the named requirements change in the file.\n\n"
                "  dae uninstall flask\n"
                "  dae uninstall --dev pytest");
            return [options](Context& context) {
              if (options->names.empty()) throw Error(ErrorKind::usage, "which package?", "", "dae uninstall NAME");
              return run(*options, context);
            };
          }};
}

}  // namespace dae::cli
