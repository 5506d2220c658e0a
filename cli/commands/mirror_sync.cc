// dae mirror sync [INDEX…], dae mirror explain NAME: beside a mirror that runs, or without.
#include <algorithm>

#include "base/error.h"
#include "base/process.h"
#include "cli/commands/commands.h"
#include "cli/context.h"
#include "cli/mirror_place.h"
#include "mirror/sync/run.h"

namespace dae::cli {
namespace {

struct Options {
  MirrorPlace place;
  std::vector<std::string> indexes;
  std::string project, index;
  bool plan = false, all = false, accept_removals = false;
};

// Those named, else all that are synced.
std::vector<mirror::IndexConfig> chosen_indexes(const mirror::MirrorConfig& config,
                                                const std::vector<std::string>& names) {
  std::vector<mirror::IndexConfig> out;
  for (const mirror::IndexConfig& index : config.indexes) {
    const bool named = std::find(names.begin(), names.end(), index.name) != names.end();
    if (named || (names.empty() && index.sync)) out.push_back(index);
  }
  for (const std::string& name : names) {
    const auto found = std::find_if(out.begin(), out.end(), [&](const auto& index) { return index.name == name; });
    if (found == out.end()) throw Error(ErrorKind::not_found, "this mirror has no such index", name);
  }
  if (out.empty()) {
    throw Error(ErrorKind::usage, "no index of this mirror is synced", "",
                "`mode: sync` in mirror.yaml, and `--config` to name that file");
  }
  return out;
}

int run_sync(const Options& options, Context& context) {
  StopSignal::install();
  const mirror::MirrorConfig config = options.place.read();
  mirror::sync::SyncOptions sync;
  sync.plan_only = options.plan;
  sync.all = options.all;
  sync.list_projects = options.plan || context.globals.json;
  sync.accept_removals = options.accept_removals;
  sync.stop_requested = [] { return StopSignal::requested(); };
  bool interrupted = false, failed = false;
  Value reports = Value::array();
  for (const mirror::IndexConfig& index : chosen_indexes(config, options.indexes)) {
    if (interrupted) break;
    const mirror::sync::SyncReport report = mirror::sync::run_sync(config, index, context.transport(), *context.runner,
                                                                   context.clock, *context.events, sync);
    interrupted = report.interrupted;
    failed = failed || !report.failures.empty();
    reports.push_back(to_value(report));
    if (!context.globals.json) context.print(render(report));
  }
  if (context.globals.json) context.print_json(Value::object({{"indexes", std::move(reports)}}));
  if (interrupted) return exit_code(ErrorKind::interrupted);
  return failed ? exit_code(ErrorKind::partial) : 0;
}

int run_explain(const Options& options, Context& context) {
  const mirror::MirrorConfig config = options.place.read();
  Value reports = Value::array();
  const std::vector<std::string> named =
      options.index.empty() ? std::vector<std::string>() : std::vector<std::string>{options.index};
  for (const mirror::IndexConfig& index : chosen_indexes(config, named)) {
    const mirror::sync::Explanation explanation = mirror::sync::explain_project(
        config, index, options.project, context.transport(), *context.runner, context.clock);
    reports.push_back(to_value(explanation));
    if (!context.globals.json) context.print(render(explanation));
  }
  if (context.globals.json) context.print_json(Value::object({{"indexes", std::move(reports)}}));
  return 0;
}

}  // namespace

Command mirror_sync_command() {
  return {"mirror sync", "bring the synced indexes of a mirror up to date", "Services",
          [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            options->place.options(line);
            line.positionals("INDEX", options->indexes, "only these (default: all with `mode: sync`)");
            line.flag("--plan,--dry-run", options->plan, "show what would be fetched and removed; change nothing");
            line.flag("--all", options->all, "look at every project's page, whatever the upstream's serials say");
            line.flag("--accept-removals", options->accept_removals,
                      "even when the upstream lists less than half of what is kept");
            line.details(
                "A mirror may serve from the same storage meanwhile. A sync that was ended goes on where it was. Exit "
                "code 5: some projects could not be brought; they stay as they were, and the next sync tries again.");
            return [options](Context& context) { return run_sync(*options, context); };
          }};
}

Command mirror_explain_command() {
  return {"mirror explain", "which rule of a synced index keeps or drops each file of a project", "Services",
          [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            options->place.options(line);
            line.positional("NAME", options->project, "project", true);
            line.option("--index", options->index, "only this index (default: all with `mode: sync`)");
            return [options](Context& context) { return run_explain(*options, context); };
          }};
}

}  // namespace dae::cli
