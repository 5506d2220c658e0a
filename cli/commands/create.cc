// dae create NAME: a small app that installs, tests, serves and deploys as it stands.
#include <regex>

#include "base/error.h"
#include "base/strings.h"
#include "cli/commands/commands.h"
#include "cli/context.h"

namespace dae::cli {
namespace {

struct Options {
  std::string name, template_name = "wsgi";
};

int run(const Options& options, Context& context) {
  static const std::regex name_pattern("[a-z][a-z0-9-]{0,62}");
  if (!std::regex_match(options.name, name_pattern))
    throw Error(ErrorKind::usage, "an app is named with a lower case letter, then letters, digits and dashes",
                options.name);
  Path templates = share_dir() / "templates";
  Path source = templates / options.template_name;
  if (options.template_name.find('/') != std::string::npos || !exists(source / "app.yaml")) {
    std::string known = join(list_dir(templates), ", ");
    throw Error(ErrorKind::usage, "there is no such template", options.template_name, "known: " + known);
  }
  Path target = std::filesystem::current_path() / options.name;
  if (exists(target) && !list_dir(target).empty())
    throw Error(ErrorKind::refused, "the folder exists and is not empty", target.string());

  // Made beside and renamed: a half-written app is never seen.
  TempDir staging(".dae-create-", std::filesystem::current_path());
  std::vector<std::string> made;
  for (const WalkEntry& entry : walk_tree(source)) {
    // A template's dot files are stored as "dot.name", so that they are no dot files of this repository.
    std::string relative = replace_all(entry.relative, "dot.", ".");
    if (entry.info.is_dir()) {
      make_dirs(staging.path() / relative);
    } else {
      write_file_atomic(staging.path() / relative, replace_all(read_file(entry.path), "@NAME@", options.name), 0644,
                        Durability::none);
      made.push_back(relative);
    }
  }
  set_mode(staging.path(), 0755);
  if (exists(target)) remove_all(target);
  rename_path(staging.release(), target);
  context.say("created " + options.name + ": " + join(made, ", "));
  context.say("next: cd " + options.name + ", dae install, dae serve");
  if (context.globals.json)
    context.print_json(
        Value::object({{"app", options.name}, {"path", target.string()}, {"files", Value::strings(made)}}));
  return 0;
}

}  // namespace

Command create_command() {
  return {"create", "make a new app in a folder of its name", "App", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.positional("NAME", options->name, "name of the app", true);
            line.option("-t,--template", options->template_name, "what to start from");
            return [options](Context& context) { return run(*options, context); };
          }};
}

}  // namespace dae::cli
