// dae merge-lock: git's merge driver for pylock.toml, so that two branches that pinned do not meet in a conflict.
#include "base/error.h"
#include "base/strings.h"
#include "cli/commands/commands.h"
#include "cli/context.h"
#include "resolver/lock/conflict_markers.h"
#include "resolver/lock/merge.h"

namespace dae::cli {
namespace {

struct Options {
  std::vector<std::string> files;
  bool install = false;
};

constexpr const char* kAttributes = "pylock*.toml merge=dae-lock";

// Runs git and throws with what it said.
void git(Context& context, std::vector<std::string> arguments) {
  ProcessSpec spec;
  spec.argv = {"git"};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.timeout_ms = 30'000;
  const ProcessResult result = context.runner->run(spec);
  if (result.exit_code != 0)
    throw Error(ErrorKind::failed, "`" + quote_command(spec.argv) + "` failed").because(std::string(trim(result.err)));
}

// The repository's own configuration names the driver, .gitattributes (which is committed) the files.
int install(Context& context) {
  git(context, {"rev-parse", "--git-dir"});
  git(context, {"config", "merge.dae-lock.name", "merges the pins of both sides"});
  git(context,
      {"config", "merge.dae-lock.driver", quote_command({self_executable().string()}) + " merge-lock %O %A %B"});
  const Path attributes = std::filesystem::current_path() / ".gitattributes";
  std::string text = read_file_if_exists(attributes).value_or("");
  for (const std::string& line : split_lines(text)) {
    if (trim(line) != kAttributes) continue;
    context.say("the merge driver is installed; .gitattributes names it already");
    return 0;
  }
  if (!text.empty() && text.back() != '\n') text += '\n';
  write_file_atomic(attributes, text + kAttributes + "\n");
  context.say("the merge driver is installed; commit .gitattributes, others run `dae merge-lock --install` once");
  return 0;
}

// As git calls it: the result goes into OURS; exit code 0 = merged.
int merge(Context& context, const Options& options) {
  const Path base(options.files[0]), ours(options.files[1]), theirs(options.files[2]);
  const auto lock_of = [](const Path& path) {
    const std::string text = read_file(path);
    return trim(text).empty() ? resolver::Lock{} : resolver::parse_previous_lock(text, path.filename().string());
  };
  const resolver::LockMerge merged = resolver::merge_locks(lock_of(base), lock_of(ours), lock_of(theirs));
  write_file_atomic(ours, resolver::render_lock(merged.lock));
  for (const std::string& name : merged.both_changed)
    context.say("both sides moved `" + name + "`: the higher pin is kept");
  if (merged.needs_lock) context.say("pins of both sides were taken: run `dae lock` before you go on");
  return 0;
}

}  // namespace

Command merge_lock_command() {
  return {"merge-lock", "git's merge driver for pylock.toml", "App", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            line.positionals("FILE", options->files, "BASE OURS THEIRS, as git hands them over");
            line.flag("--install", options->install, "make git use it in this repository");
            line.details(
                "What one side changed is taken from it; of two different changes the higher version wins. The merged\n"
                "lock is marked as in need of `dae lock`, which keeps these pins where they fit.\n\n"
                "  dae merge-lock --install");
            return [options](Context& context) {
              if (options->install) return install(context);
              if (options->files.size() != 3)
                throw Error(ErrorKind::usage, "three files are needed: BASE OURS THEIRS", "",
                            "git calls this; `dae merge-lock --install` tells it to");
              return merge(context, *options);
            };
          }};
}

}  // namespace dae::cli
