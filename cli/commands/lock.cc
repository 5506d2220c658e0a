// dae lock [FILE]: pin without installing; of an app, or of a requirements file alone.
#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "cli/commands/commands.h"
#include "cli/no_solution_view.h"
#include "cli/pinning.h"

namespace dae::cli {
namespace {

struct Options {
  PinOptions pin;
  std::string file, output;
  std::vector<std::string> python_versions, platforms;
  bool check = false, dry_run = false;
};

struct Job {
  PinSubject subject;
  std::optional<resolver::Interpreter> python;
};

Job job_of_app(const Options& options, Context& context) {
  if (!options.python_versions.empty() || !options.platforms.empty())
    throw Error(ErrorKind::usage, "the targets of an app stand in its app.yaml", "",
                "`targets: [{python: \"3.11\", platform: manylinux_2_36_x86_64}]`");
  builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  Job job;
  job.python = interpreter_for(context, app, options.pin.python);
  job.subject = subject_of_app(app, resolver::read_project(app.dir), *job.python);
  return job;
}

// "pylock.NAME.toml" beside the file; the specification allows one label without dots.
Path default_output(const Path& file) {
  std::string label = replace_all(file.stem().string(), ".", "-");
  if (file.filename() == "pyproject.toml" || file.filename() == "pip-req.txt" || file.filename() == "requirements.txt")
    return file.parent_path() / "pylock.toml";
  return file.parent_path() / ("pylock." + label + ".toml");
}

Job job_of_file(const Options& options, Context& context) {
  const Path file = std::filesystem::absolute(options.file);
  Job job;
  job.subject.project = resolver::parse_project(file, read_file(file));
  job.subject.requires_python = job.subject.project.requires_python;
  job.subject.lock = options.output.empty() || options.output == "-" ? default_output(file)
                                                                     : std::filesystem::absolute(options.output);
  try {
    job.python = resolver::find_interpreter(*context.runner, options.pin.python,
                                            resolver::SpecifierSet::parse(job.subject.requires_python));
  } catch (const Error&) {
    // A target that is declared in full needs no interpreter; then nothing that must be built can be chosen.
    if (options.python_versions.empty() || options.platforms.empty() || !options.pin.python.empty()) throw;
  }
  std::vector<std::string> versions = options.python_versions, platforms = options.platforms;
  if (versions.empty() && platforms.empty()) {
    job.subject.targets.push_back(job.python->target());
    return job;
  }
  if (versions.empty()) versions.push_back(job.python->target().python_version);
  if (platforms.empty()) platforms.push_back(job.python->target().platform);
  for (const std::string& version : versions) {
    for (const std::string& platform : platforms) {
      resolver::Target target = resolver::declared_target(version, platform);
      // The interpreter at hand knows its patch level.
      if (job.python && job.python->target().python_version == version)
        target.python_full_version = job.python->target().python_full_version;
      job.subject.targets.push_back(std::move(target));
    }
  }
  return job;
}

Value to_json(const Pinned& pinned, const std::vector<PinChange>& changes) {
  Value packages = Value::array(), list = Value::array();
  for (const auto& package : pinned.lock().packages)
    packages.push_back(
        Value::object({{"name", package.name}, {"version", package.version}, {"marker", package.marker}}));
  for (const PinChange& change : changes)
    list.push_back(Value::object({{"name", change.name}, {"before", change.before}, {"after", change.after}}));
  return Value::object(
      {{"packages", std::move(packages)}, {"changes", std::move(list)}, {"lock_changed", pinned.lock_changed}});
}

// In one piece: a write for each line is most of what a small lock costs.
void print_changes(Context& context, const std::vector<PinChange>& changes) {
  constexpr size_t kMostShown = 30;
  std::string text;
  for (size_t i = 0; i < changes.size() && i < kMostShown; ++i) {
    const PinChange& c = changes[i];
    if (c.before.empty())
      text += "  + " + c.name + " " + c.after + "\n";
    else if (c.after.empty())
      text += "  - " + c.name + " " + c.before + "\n";
    else
      text += "  ~ " + c.name + " " + c.before + " -> " + c.after + "\n";
  }
  if (changes.size() > kMostShown) text += fmt::format("  … {} more\n", changes.size() - kMostShown);
  if (!text.empty()) text.pop_back();
  if (!text.empty()) context.say(text);
}

int run(Options& options, Context& context) {
  Job job = options.file.empty() ? job_of_app(options, context) : job_of_file(options, context);
  if (!options.output.empty() && options.output != "-") job.subject.lock = std::filesystem::absolute(options.output);
  const std::string lock_name = job.subject.lock.filename().string();
  options.pin.locked |= options.check;
  options.pin.complete_builds = true;
  const Pinned pinned = pin(context, job.subject, options.pin, job.python ? &*job.python : nullptr);
  if (const auto* no = pinned.no_solution())
    return report_no_solution(context, *no, lock_request(job.subject, &options.pin));
  const auto changes = pin_changes(pinned.previous ? &*pinned.previous : nullptr, pinned.lock());
  if (options.output == "-") {
    context.print(pinned.current ? read_file(job.subject.lock) : pinned.text);
    return 0;
  }
  if (pinned.current) {
    context.say(fmt::format("{} is up to date: {} packages", lock_name, pinned.lock().packages.size()));
  } else {
    context.say(pinned.summary);
    print_changes(context, changes);
    if (options.dry_run) {
      context.say(pinned.lock_changed ? "would write " + lock_name + " (dry run)" : "nothing would change (dry run)");
    } else if (pinned.lock_changed) {
      write_file_atomic(job.subject.lock, pinned.text, 0644, Durability::contents);
      context.say("wrote " + lock_name);
    } else {
      context.say(lock_name + " stays as it is");
    }
  }
  if (context.globals.json) context.print_json(to_json(pinned, changes));
  return 0;
}

}  // namespace

Command lock_command() {
  return {
      "lock", "pin dependencies and write the lock, installing nothing", "App", [](CommandLine& line) -> Action {
        auto options = std::make_shared<Options>();
        line.positional("FILE", options->file, "a requirements file or pyproject.toml instead of the app here", false);
        line.option("-o,--output", options->output, "where the lock goes; `-` prints it");
        line.flag("--check", options->check, "only say whether the lock is up to date (exit code)");
        line.flag("-n,--dry-run", options->dry_run, "say what would change");
        line.list("--python-version", options->python_versions, "with FILE: lock for this python, such as 3.11");
        line.list("--platform", options->platforms, "with FILE: lock for this platform, such as manylinux_2_36_x86_64");
        declare_pin_options(line, options->pin);
        line.details(
            "The lock is exact for each declared target: app.yaml `targets`, or --python-version and --platform, or\n"
            "this machine. Earlier pins stay unless --upgrade forgets them. Of FILE the lock is pylock.FILE.toml.\n\n"
            "  dae lock                               pin what pyproject.toml asks for\n"
            "  dae lock --upgrade                     move every pin to the newest that fits\n"
            "  dae lock --check                       in CI: exit 1 when the lock is behind\n"
            "  dae lock requirements.in -o -          print a lock for a requirements file\n"
            "  dae lock --import poetry.lock          begin with the pins of another tool");
        return [options](Context& context) { return run(*options, context); };
      }};
}

}  // namespace dae::cli
