// dae mirror remove INDEX WHAT, dae mirror yank INDEX WHAT: files of a private index, beside a mirror that runs or not.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "cli/commands/commands.h"
#include "cli/context.h"
#include "cli/mirror_place.h"
#include "mirror/storage/storage.h"
#include "mirror/upload/removal.h"

namespace dae::cli {
namespace {

struct Options {
  MirrorPlace place;
  std::string index, what, reason;
  bool dry_run = false, undo = false;
};

std::string who() {
  for (const char* name : {"SUDO_USER", "USER", "LOGNAME"}) {
    if (const auto user = env_var(name)) return *user;
  }
  return "somebody";
}

// What an upstream lists is the upstream's: there the next refresh would bring it back.
void check_private(const mirror::MirrorConfig& config, const Options& options) {
  if (options.place.config.empty()) return;
  const auto found = std::ranges::find(config.indexes, options.index, &mirror::IndexConfig::name);
  if (found == config.indexes.end()) throw Error(ErrorKind::not_found, "mirror.yaml has no such index", options.index);
  if (found->mode == "private") return;
  throw Error(ErrorKind::refused, "the index has an upstream, which says what it lists", options.index,
              "keep files of it away with a deny list (`deny:`)");
}

int run_change(mirror::FilesChange::Kind kind, const char* done, const Options& options, Context& context) {
  if (options.reason.empty() && !options.undo) {
    throw Error(ErrorKind::usage, "`--reason TEXT` is wanted: it goes into the audit trail");
  }
  const mirror::MirrorConfig config = options.place.read();
  check_private(config, options);
  const auto storage = mirror::open_storage(config, context.clock);
  mirror::PageStore pages(storage->catalog());
  const auto files = mirror::change_files(pages, {kind, options.index, options.what, options.reason, who()},
                                          context.clock.wall_ms(), options.dry_run);
  if (context.globals.json) context.print_json(Value::strings(files));
  for (const std::string& file : files)
    context.say(fmt::format("{}{} {}", options.dry_run ? "would be " : "", done, file));
  return 0;
}

void declare(CommandLine& line, Options& options) {
  options.place.options(line);
  line.positional("index", options.index, "a private index", true);
  line.positional("what", options.what, "a project, `NAME==VERSION` or the name of a file", true);
  line.option("--reason", options.reason, "why; in the audit trail, and told to clients of a yanked file");
  line.flag("--dry-run", options.dry_run, "say which files it is, and change nothing");
}

}  // namespace

Command mirror_remove_command() {
  return {"mirror remove", "take files away from a private index; their names are not used again", "Services",
          [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            declare(line, *options);
            return [options](Context& context) {
              return run_change(mirror::FilesChange::Kind::remove, "removed", *options, context);
            };
          }};
}

Command mirror_yank_command() {
  return {"mirror yank", "mark files of a private index as not to be chosen (PEP 592)", "Services",
          [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            declare(line, *options);
            line.flag("--undo", options->undo, "take the mark away");
            return [options](Context& context) {
              const auto kind = options->undo ? mirror::FilesChange::Kind::unyank : mirror::FilesChange::Kind::yank;
              return run_change(kind, options->undo ? "no longer yanked" : "yanked", *options, context);
            };
          }};
}

}  // namespace dae::cli
