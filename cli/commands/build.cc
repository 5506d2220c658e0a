// dae build, dae publish.
#include "cli/app_build.h"
#include "cli/commands/commands.h"
#include "cli/library_publish.h"

namespace dae::cli {
namespace {

struct Options {
  std::string mirror;
  bool publish = false, dirty = false, wheel = false;
  LibraryPublish library = {};
};

int run_build(const Options& options, Context& context) {
  int64_t started_ms = context.clock.monotonic_ms();
  builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  builder::BuiltArtifact built = build_app(context, app);
  context.say(describe(built, context.clock.monotonic_ms() - started_ms));
  if (options.publish)
    context.say(describe(publish_artifact(context, built, mirror_url(options.mirror), options.dirty)));
  if (context.globals.json) context.print_json(to_value(built));
  return 0;
}

int run_publish(const Options& options, Context& context) {
  if (options.wheel) return publish_library(options.library, context);
  if (options.library.dry_run) throw Error(ErrorKind::usage, "`--dry-run` goes with `--wheel`");
  builder::AppFile app = builder::find_app_file(std::filesystem::current_path());
  auto blobs = open_blob_store(blobs_dir());
  builder::BuiltArtifact built = builder::last_build(app, *blobs);
  mirror::PushResult pushed = publish_artifact(context, built, mirror_url(options.mirror), options.dirty);
  context.say(built.version + " " + describe(pushed));
  if (context.globals.json)
    context.print_json(to_value(built).set("blobs_sent", pushed.blobs_sent).set("bytes_sent", pushed.bytes_sent));
  return 0;
}

}  // namespace

Command build_command() {
  return {"build", "make the versioned artifact of the app", "Artifact", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.flag("--publish", options->publish, "publish it as well");
            line.flag("--dirty", options->dirty, "publish even with uncommitted changes");
            line.option("--mirror", options->mirror, "registry to publish to (a URL)");
            return [options](Context& context) { return run_build(*options, context); };
          }};
}

Command publish_command() {
  return {
      "publish", "push the last build to the mirror, only what it lacks", "Artifact", [](CommandLine& line) -> Action {
        auto options = std::make_shared<Options>();
        line.flag("--dirty", options->dirty, "publish even with uncommitted changes");
        line.option("--mirror", options->mirror, "registry to publish to (a URL)");
        line.flag("--wheel", options->wheel, "build sdist and wheel of the library here and upload them to an index");
        line.option("--index", options->library.index, "with --wheel: where the index takes uploads (a URL)");
        line.option("--token-file", options->library.token_file, "with --wheel: file with the token to upload with");
        line.option("--python", options->library.python, "with --wheel: interpreter to build with");
        line.flag("--dry-run", options->library.dry_run, "with --wheel: build, but upload nothing");
        line.details(
            "dae publish --wheel --index https://mirror.example/team/legacy/\n"
            "The token is read from DAE_PUBLISH_TOKEN or --token-file; `dae mirror token create` makes one.");
        return [options](Context& context) { return run_publish(*options, context); };
      }};
}

}  // namespace dae::cli
