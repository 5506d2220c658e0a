// dae export: the lock as a requirements file with hashes, for tools that know no lock.
#include "base/error.h"
#include "cli/app_environment.h"
#include "cli/commands/commands.h"
#include "resolver/lock/export_requirements.h"

namespace dae::cli {
namespace {

struct Options {
  std::string output;
  std::vector<std::string> extras, groups;
  bool no_dev = false, no_hashes = false, via = false, here = false;
};

int run(const Options& options, Context& context) {
  builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  resolver::ProjectFile project = resolver::read_project(app.dir);
  const resolver::Interpreter python = interpreter_for(context, app, "");
  const resolver::Lock lock = require_lock(app, project, python);

  resolver::ExportOptions wanted;
  wanted.which = {options.extras, options.groups, !options.no_dev};
  wanted.hashes = !options.no_hashes;
  wanted.via = options.via;
  if (options.here) wanted.target = python.target();
  const auto add_roots = [&](const std::vector<resolver::RootRequirement>& roots) {
    for (const auto& root : roots) wanted.roots[root.requirement.key].push_back(root.origin);
  };
  add_roots(project.requirements);
  for (const auto& [name, roots] : project.extras) add_roots(roots);
  for (const auto& [name, roots] : project.groups) add_roots(roots);

  std::vector<std::string> unhashed;
  const std::string text = resolver::export_requirements(lock, wanted, &unhashed);
  if (wanted.hashes)
    for (const std::string& name : unhashed)
      warning(*context.events, "`" + name + "` has no hash: pip refuses it beside `--require-hashes`");
  if (options.output.empty() || options.output == "-") {
    if (context.globals.json)
      context.print_json(Value::object({{"requirements", text}, {"unhashed", Value::strings(unhashed)}}));
    else
      context.print(text);
    return 0;
  }
  write_file_atomic(std::filesystem::absolute(options.output), text);
  context.say("wrote " + options.output);
  return 0;
}

}  // namespace

Command export_command() {
  return {"export", "print the lock as a requirements file with hashes", "App", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.option("-o,--output", options->output, "write this file instead of printing");
            line.list("--extra", options->extras, "this optional dependency too");
            line.list("--group", options->groups, "this dependency group too");
            line.flag("--no-dev", options->no_dev, "leave the default dependency groups out");
            line.flag("--no-hashes", options->no_hashes, "versions only");
            line.flag("--via", options->via, "say in comments who needs each package");
            line.flag("--here", options->here, "for this machine only, without markers");
            line.details(
                "  dae export -o pip-req.txt      then: pip install --require-hashes -r pip-req.txt\n"
                "  dae export --no-dev --via      what is deployed, and why");
            return [options](Context& context) { return run(*options, context); };
          }};
}

}  // namespace dae::cli
