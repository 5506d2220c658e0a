// dae deploy [VERSION], dae rollback [VERSION], dae abort, dae resume.
#include <pwd.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/error.h"
#include "cli/app_build.h"
#include "cli/commands/commands.h"
#include "cli/rollout_view.h"

namespace dae::cli {
namespace {

struct Options {
  std::string version, app, control, mirror, bake, stage;
  bool plan = false, detach = false, dirty = false;
};

std::string who_am_i() {
  if (auto name = env_var("DAE_USER")) return *name;
  if (auto name = env_var("USER")) return *name;
  const passwd* entry = ::getpwuid(::getuid());  // cron and CI set no USER
  return entry ? entry->pw_name : "uid " + std::to_string(::getuid());
}

struct Target {
  std::string app, version, digest;
  Value config;  // set when the artifact was not published
};

// A named version comes from the registry; else the work tree is built, and published unless only a plan is wanted.
Target find_target(const Options& options, Context& context) {
  std::string mirror = mirror_url(options.mirror);
  if (!options.version.empty()) {
    Target target{app_name_or_here(options.app), options.version, "", {}};
    mirror::RegistryClient registry(context.transport(), mirror);
    auto found = registry.manifest("apps/" + target.app, mirror::tag_of_version(options.version));
    if (!found) {
      std::vector<std::string> tags = registry.tags("apps/" + target.app);
      throw Error(ErrorKind::not_found, "the mirror has no such version of `" + target.app + "`", options.version,
                  tags.empty() ? "publish one with `dae build --publish`" : "newest there: " + tags.back());
    }
    target.digest = found->second.oci();
    return target;
  }
  int64_t started_ms = context.clock.monotonic_ms();
  builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  builder::BuiltArtifact built = build_app(context, app);
  context.say(describe(built, context.clock.monotonic_ms() - started_ms));
  Target target{app.config.name, built.version, built.digest.oci(), {}};
  if (options.plan) {
    auto blobs = open_blob_store(blobs_dir());
    target.config = parse_json(blobs->read(built.manifest.config.digest), built.digest.oci()).root;
    return target;
  }
  mirror::PushResult pushed = publish_artifact(context, built, mirror, options.dirty);
  context.say(describe(pushed));
  return target;
}

int run_deploy(const Options& options, Context& context) {
  std::string url = control_url(options.control);
  deployer::ControlClient control(context.transport(), url);
  Target target = find_target(options, context);
  Value overrides = Value::object();
  if (!options.bake.empty()) overrides.set("bake_ms", parse_duration_ms(options.bake));
  if (!options.stage.empty()) overrides.set("only_stage", options.stage);

  if (options.plan) {
    deployer::Rollout plan = control.plan(target.app, target.digest, overrides, target.config);
    context.print(context.globals.json ? pretty_json(to_value(plan)) + "\n"
                                       : target.app + " → " + target.version + "\n" + render_plan(plan));
    return 0;
  }
  deployer::Rollout rollout = control.submit(target.app, target.digest, who_am_i(), overrides);
  if (options.detach) {
    context.say(rollout.id + " started; watch it with: dae status " + target.app + " --watch");
    if (context.globals.json) context.print_json(to_value(rollout));
    return 0;
  }
  int code = follow_rollout(context, control, rollout);
  if (context.globals.json) context.print_json(to_value(control.rollout(rollout.app, rollout.id)));
  return code;
}

int run_rollback(const Options& options, Context& context) {
  deployer::ControlClient control(context.transport(), control_url(options.control));
  std::string app = app_name_or_here(options.app);
  deployer::Rollout rollout = control.rollback(app, options.version, who_am_i());
  context.say(fmt::format("{} → {} on {} nodes", app, rollout.version, rollout.nodes.size()));
  int code = follow_rollout(context, control, rollout);
  if (context.globals.json) context.print_json(to_value(control.rollout(rollout.app, rollout.id)));
  return code;
}

// The rollout of the app that is going on; one app has at most one.
deployer::Rollout current_rollout(deployer::ControlClient& control, const std::string& app) {
  for (deployer::Rollout& rollout : control.rollouts(app))
    if (!deployer::is_final(rollout.state)) return rollout;
  throw Error(ErrorKind::not_found, "no rollout is going on", app, "dae history " + app);
}

int run_abort(const Options& options, Context& context) {
  deployer::ControlClient control(context.transport(), control_url(options.control));
  std::string app = app_name_or_here(options.app);
  int code = follow_rollout(context, control, control.abort(app, current_rollout(control, app).id, who_am_i()));
  // Being taken back is what was asked for.
  return code == exit_code(ErrorKind::rolled_back) ? 0 : code;
}

int run_resume(const Options& options, Context& context) {
  deployer::ControlClient control(context.transport(), control_url(options.control));
  std::string app = app_name_or_here(options.app);
  return follow_rollout(context, control, control.resume(app, current_rollout(control, app).id, who_am_i()));
}

Command on_current_rollout(const std::string& name, const std::string& summary,
                           int (*action)(const Options&, Context&)) {
  return {name, summary, "Deploy", [action](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.positional("APP", options->app, "default: the app here", false);
            line.option("--control", options->control, "control plane (a URL)");
            return [options, action](Context& context) { return action(*options, context); };
          }};
}

}  // namespace

Command abort_command() {
  return on_current_rollout("abort", "take the rollout that is going on back", run_abort);
}
Command resume_command() {
  return on_current_rollout("resume", "let a rollout that waits for a person go on", run_resume);
}

Command deploy_command() {
  return {"deploy", "roll a version out: pre, then prod in batches, taken back when it fails", "Deploy",
          [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.positional("VERSION", options->version,
                            "a published version; default: build and publish the work tree", false);
            line.flag("--plan,--dry-run", options->plan, "say who would get it in which order");
            line.flag("-d,--detach", options->detach, "return at once");
            line.flag("--dirty", options->dirty, "publish even with uncommitted changes");
            line.option("--bake", options->bake, "how long each stage is watched, such as 10s");
            line.option("--stage", options->stage, "this stage alone");
            line.option("--app", options->app, "app to deploy (with VERSION; default: the one here)");
            line.option("--control", options->control, "control plane (a URL)");
            line.option("--mirror", options->mirror, "artifact registry (a URL)");
            return [options](Context& context) { return run_deploy(*options, context); };
          }};
}

Command rollback_command() {
  return {"rollback", "bring back the version before, or a given one", "Deploy", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.positional("VERSION", options->version, "a version that was live; default: the one before", false);
            line.option("--app", options->app, "default: the app here");
            line.option("--control", options->control, "control plane (a URL)");
            return [options](Context& context) { return run_rollback(*options, context); };
          }};
}

}  // namespace dae::cli
