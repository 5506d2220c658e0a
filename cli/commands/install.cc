// dae install [NAME…]: pin, fetch, link. Nothing is written before a solution is known.
#include <fmt/format.h>

#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "cli/app_environment.h"
#include "cli/commands/commands.h"

namespace dae::cli {
namespace {

struct Options {
  std::vector<std::string> names, upgrade_packages;
  std::string python, index;
  bool upgrade = false, locked = false, dry_run = false, no_sync = false;
};

void print_no_solution(Context& context, const resolver::NoSolution& no, const resolver::Target& target) {
  size_t width = 0;
  std::vector<resolver::ConflictLine> lines = no.lines;
  if (!lines.empty() && lines.front().origin == target.label()) lines.erase(lines.begin());  // said in the heading
  for (const auto& line : lines) width = std::max(width, line.origin.size());
  context.say("no solution for " + target.label());
  for (const auto& line : lines) context.say(fmt::format("  {:<{}}   {}", line.origin, width, line.text));
  context.say("nothing was changed");
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
    out.set("added", std::move(added)).set("removed", std::move(removed));
  }
  return out;
}

int run(const Options& options, Context& context) {
  builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  resolver::Interpreter python = interpreter_for(context, app, options.python);
  resolver::ProjectFile project = resolver::read_project(app.dir);

  std::string old_text = read_file(project.path), new_text = old_text;
  if (!options.names.empty()) {
    for (const std::string& name : options.names) resolver::Requirement::parse(name);
    new_text = resolver::with_requirements(project, old_text, options.names);
    project = resolver::parse_project(project.path, new_text);
    // These lines are not in the file yet: messages name where the user wrote them.
    for (const std::string& name : options.names)
      for (auto& root : project.requirements)
        if (root.requirement.key == resolver::Requirement::parse(name).key) root.origin = "command line";
  }

  std::optional<resolver::Lock> previous;
  if (exists(lock_path(app))) previous = resolver::read_lock(lock_path(app));
  resolver::LockRequest request = lock_request(app, project, python, {});
  request.previous = previous;
  request.upgrade = options.upgrade_packages;
  if (options.upgrade) request.upgrade.push_back("*");

  bool current = previous && request.upgrade.empty() && previous->input_digest == resolver::lock_input_digest(request);
  resolver::LockOutcome outcome;
  IndexChoice index;
  if (current) {
    outcome.lock = *previous;
  } else {
    if (options.locked)
      throw Error(ErrorKind::failed, "`pylock.toml` would change and `--locked` forbids it", lock_path(app).string(),
                  "run `dae install` and commit the result");
    int64_t started_ms = context.clock.monotonic_ms();
    index = choose_index(context, options.index);
    for (const resolver::IndexSource& source : index.indexes) request.index_urls.push_back(source.url);
    resolver::IndexOptions index_options;
    index_options.indexes = index.indexes;
    index_options.cache_dir = cache_dir() / "index";
    index_options.offline = context.globals.offline;
    index_options.build_tag = python.cache_tag;
    index_options.build_metadata =
        resolver::sdist_metadata_builder(python, cache_dir(), *context.runner, *context.events);
    auto client =
        resolver::make_index_client(context.transport_for_index(index.ca_file), index_options, *context.events);
    auto result = resolver::make_lock(request, *client);
    if (auto* no = std::get_if<resolver::NoSolution>(&result)) {
      print_no_solution(context, *no, request.targets.front());
      return exit_code(ErrorKind::no_solution);
    }
    outcome = std::move(std::get<resolver::LockOutcome>(result));
    resolver::IndexStats stats = client->stats();
    context.say(fmt::format("resolved {} packages for {}   {}  (index: {}, {} pages from cache, {} fetched)",
                            outcome.lock.packages.size(), request.targets.front().label(),
                            format_duration(context.clock.monotonic_ms() - started_ms), index.label,
                            stats.pages_from_cache, stats.pages_fetched));
  }

  std::string rendered = current ? "" : resolver::render_lock(outcome.lock);
  bool lock_changed = !current && (!previous || rendered != read_file(lock_path(app)));
  if (options.dry_run) {
    WantedWheels wanted = wanted_from_lock(resolver::select(outcome.lock, python.target()));
    EnvironmentChange change;
    change.plan = resolver::plan_install(environment_path(app), python, wanted.wheels);
    print_added(context, change.plan, outcome.resolution, project, 100);
    if (lock_changed) context.say("would write pylock.toml");
    if (context.globals.json) context.print_json(to_json(outcome.lock, &change, lock_changed));
    context.say("nothing was changed (dry run)");
    return 0;
  }
  if (new_text != old_text) write_file_atomic(project.path, new_text);
  if (lock_changed) write_file_atomic(lock_path(app), rendered);
  if (options.no_sync) {
    if (context.globals.json) context.print_json(to_json(outcome.lock, nullptr, lock_changed));
    if (lock_changed) context.say("wrote pylock.toml");
    return 0;
  }

  EnvironmentChange change =
      sync_environment(context, app, outcome.lock, python, context.transport_for_index(index.ca_file));
  if (change.plan.empty() && !lock_changed) {
    context.say(
        fmt::format("nothing to do: {} packages installed   {}", change.packages, format_duration(change.duration_ms)));
  } else {
    if (!change.plan.empty())
      context.say(fmt::format("installed {} packages   {}  ({} from the store)", change.plan.add.size(),
                              format_duration(change.duration_ms), change.from_store));
    print_added(context, change.plan, outcome.resolution, project, 12);
    if (lock_changed) context.say("wrote pylock.toml");
  }
  if (context.globals.json) context.print_json(to_json(outcome.lock, &change, lock_changed));
  return 0;
}

}  // namespace

Command install_command() {
  return {"install", "pin dependencies, write pylock.toml, make .venv equal to it", "App",
          [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.positionals("NAME", options->names, "requirements to add, such as flask or \"werkzeug>=3\"");
            line.flag("-U,--upgrade", options->upgrade, "forget the earlier pins");
            line.list("--upgrade-package", options->upgrade_packages, "forget the pin of one package");
            line.flag("--locked", options->locked, "fail when the lock would change");
            line.flag("-n,--dry-run", options->dry_run, "say what would be done");
            line.flag("--no-sync", options->no_sync, "write the lock only");
            line.option("-p,--python", options->python, "interpreter: a path or a version such as 3.11");
            line.option("--index", options->index, "simple index to use (a URL, or `pip`)");
            return [options](Context& context) { return run(*options, context); };
          }};
}

}  // namespace dae::cli
