// dae run CMD…, dae test: inside the app's environment.
#include "base/error.h"
#include "base/strings.h"
#include "cli/app_environment.h"
#include "cli/commands/commands.h"

namespace dae::cli {
namespace {

int run_inside(Context& context, const builder::AppFile& app, const std::vector<std::string>& argv, Path cwd) {
  ProcessSpec spec;
  spec.argv = argv;
  spec.cwd = std::move(cwd);
  spec.env = resolver::environment_variables(environment_path(app));
  for (const auto& [key, value] : app.config.env) spec.env.emplace(key, value);
  spec.inherit_stdio = true;
  return context.runner->run(spec).exit_code;
}

struct RunOptions {
  std::vector<std::string> argv;
};

int run_any(const RunOptions& options, Context& context) {
  if (options.argv.empty()) throw Error(ErrorKind::usage, "`dae run` needs a command", "", "dae run python -V");
  builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  require_environment(app, interpreter_for(context, app, ""));
  return run_inside(context, app, options.argv, std::filesystem::current_path());
}

int run_tests(const RunOptions& options, Context& context) {
  builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  require_environment(app, interpreter_for(context, app, ""));
  std::vector<std::vector<std::string>> steps;
  for (const std::string& step : app.ci_steps) steps.push_back(split_command(step));
  if (steps.empty()) {
    bool pytest = exists(environment_path(app) / "bin" / "pytest");
    steps.push_back(pytest
                        ? std::vector<std::string>{"python", "-m", "pytest", "-q"}
                        : std::vector<std::string>{"python", "-m", "unittest", "discover", "-s", "tests", "-t", "."});
  }
  // Extra arguments go to the last step, which by custom is the test runner.
  steps.back().insert(steps.back().end(), options.argv.begin(), options.argv.end());
  for (const auto& step : steps) {
    if (int code = run_inside(context, app, step, app.dir); code != 0) {
      context.say("error: `" + quote_command(step) + "` ended with " + std::to_string(code));
      return 1;
    }
  }
  return 0;
}

}  // namespace

Command run_command() {
  return {"run", "run a command inside the app's environment", "App", [](CommandLine& line) -> Action {
            auto options = std::make_shared<RunOptions>();
            line.rest("CMD", options->argv, "the command and its arguments");
            return [options](Context& context) { return run_any(*options, context); };
          }};
}

Command test_command() {
  return {"test", "run the app's tests (ci.steps of app.yaml, else pytest or unittest)", "App",
          [](CommandLine& line) -> Action {
            auto options = std::make_shared<RunOptions>();
            line.rest("ARG", options->argv, "arguments for the test runner");
            return [options](Context& context) { return run_tests(*options, context); };
          }};
}

}  // namespace dae::cli
