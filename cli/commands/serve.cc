// dae serve: the app on a local port, as a node would start it, started anew when a file changes.
#include <csignal>

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "cli/app_environment.h"
#include "cli/commands/commands.h"
#include "cli/ports.h"
#include "deployer/launch.h"

namespace dae::cli {
namespace {

struct Options {
  int64_t port = 8000;
  bool no_reload = false;
};

// A fingerprint of the source tree: names, sizes, times. Cheap enough to take twice a second for an app's own files.
std::string tree_state(const Path& root) {
  static const std::vector<std::string> kSkip = {".venv", ".git", "__pycache__", "node_modules", ".pytest_cache"};
  std::string state;
  walk_tree(root, [&](const WalkEntry& entry) {
    std::string name = entry.path.filename().string();
    if (std::find(kSkip.begin(), kSkip.end(), name) != kSkip.end()) return false;
    if (entry.info.is_file())
      state += fmt::format("{}\t{}\t{}\n", entry.relative, entry.info.size_bytes, entry.info.mtime_ns);
    return true;
  });
  return state;
}

const mirror::Instance& web_instance(const builder::AppFile& app) {
  for (const mirror::Instance& instance : app.config.instances)
    if (instance.type == "web") return instance;
  throw Error(ErrorKind::bad_input, "there is no instance of type `web` to serve", (app.dir / "app.yaml").string());
}

ProcessIdentity start_app(Context& context, const builder::AppFile& app, int64_t port) {
  mirror::Instance instance = web_instance(app);
  instance.workers = 1;
  deployer::Launch launch = deployer::launch_instance(app.config, instance, environment_path(app), app.dir,
                                                      fmt::format("127.0.0.1:{}", port), false);
  ProcessSpec spec;
  spec.argv = launch.argv;
  if (!instance.wsgi.empty() && instance.command.empty()) {
    spec.argv.insert(spec.argv.end() - 1, {"--access-logfile", "-"});
  }
  spec.cwd = app.dir;
  spec.env = launch.env;
  spec.inherit_stdio = true;
  return context.runner->spawn(spec);
}

void stop_app(Context& context, const ProcessIdentity& process) {
  context.runner->signal(process, SIGTERM, false);
  for (int waited_ms = 0; context.runner->alive(process); waited_ms += 20) {
    if (waited_ms > 5000) context.runner->signal(process, SIGKILL, false);
    context.clock.sleep_ms(20);
  }
}

int run(const Options& options, Context& context) {
  builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  require_environment(app, interpreter_for(context, app, ""));
  const mirror::Instance& web = web_instance(app);
  require_free_port(options.port, "choose another with `--port`");
  StopSignal::install();

  context.say(fmt::format("{} on http://127.0.0.1:{}   web: {}, 1 worker{}", app.config.name, options.port,
                          web.command.empty() ? web.wsgi : web.command,
                          options.no_reload ? "" : ", reloads on change"));
  std::string state = tree_state(app.dir);
  ProcessIdentity process = start_app(context, app, options.port);
  bool running = true;
  while (!StopSignal::wait_ms(500)) {
    if (running && !context.runner->alive(process)) {
      running = false;
      int code = context.runner->exit_code(process).value_or(1);
      if (options.no_reload) return code == 0 ? 0 : 1;
      context.say(fmt::format("the app ended with {}; waiting for a change", code));
    }
    if (options.no_reload) continue;
    std::string now = tree_state(app.dir);
    if (now == state) continue;
    state = std::move(now);
    context.say("changed: starting again");
    if (running) stop_app(context, process);
    try {
      app = builder::find_app_file(app.dir);
      process = start_app(context, app, options.port);
      running = true;
    } catch (const Error& error) {  // a half-typed app.yaml ends nothing
      context.say(render_error(error));
      running = false;
    }
  }
  if (running) stop_app(context, process);
  return 0;
}

}  // namespace

Command serve_command() {
  return {"serve", "serve the app on a local port, started anew on change", "App", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.option("-p,--port", options->port, "port on 127.0.0.1");
            line.flag("--no-reload", options->no_reload, "do not watch for changes");
            return [options](Context& context) { return run(*options, context); };
          }};
}

}  // namespace dae::cli
