// dae mirror snapshot INDEX, dae mirror snapshots, dae mirror promote FROM TO: beside a mirror that runs, or without.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/table.h"
#include "cli/commands/commands.h"
#include "cli/context.h"
#include "cli/mirror_place.h"
#include "mirror/index/promotion.h"
#include "mirror/index/snapshots.h"
#include "mirror/storage/storage.h"
#include "resolver/standards/names.h"

namespace dae::cli {
namespace {

struct Options {
  MirrorPlace place;
  std::string index, name, note, remove, from, to;
  std::vector<std::string> projects;
  bool dry_run = false;
};

// The storage of a mirror, beside whoever serves it.
struct Opened {
  Opened(const Options& options, Context& context)
      : config(options.place.read()), storage(mirror::open_storage(config, context.clock)) {}
  const mirror::IndexConfig* index(const std::string& name) const {
    const auto found = std::ranges::find(config.indexes, name, &mirror::IndexConfig::name);
    return found == config.indexes.end() ? nullptr : &*found;
  }
  const mirror::IndexConfig& required_index(const std::string& name) const {
    if (const mirror::IndexConfig* found = index(name)) return *found;
    std::string known;
    for (const mirror::IndexConfig& one : config.indexes) known += (known.empty() ? "`" : ", `") + one.name + "`";
    throw Error(ErrorKind::not_found, "this mirror has no such index", name, "it has " + known);
  }
  mirror::MirrorConfig config;
  std::unique_ptr<mirror::Storage> storage;
  mirror::Catalog& catalog = storage->catalog();
  mirror::PageStore pages{catalog};
  mirror::Snapshots snapshots{catalog};
};

Value to_value(const mirror::Snapshot& snapshot) {
  return Value::object({{"id", snapshot.id},
                        {"index", snapshot.index},
                        {"revision", snapshot.revision},
                        {"made", format_utc(snapshot.made_ms)},
                        {"note", snapshot.note}});
}

int run_snapshot(const Options& options, Context& context) {
  Opened mirror(options, context);
  mirror.required_index(options.index);
  const mirror::Snapshot made =
      mirror.snapshots.make(options.index, options.name, options.note, context.clock.wall_ms());
  if (context.globals.json) {
    context.print_json(to_value(made));
  } else {
    context.print(fmt::format("{}  `{}` at revision {}; served at /snapshots/{}/simple/\n", made.id, made.index,
                              made.revision, made.id));
  }
  return 0;
}

int run_snapshots(const Options& options, Context& context) {
  Opened mirror(options, context);
  if (!options.remove.empty()) {
    if (!mirror.snapshots.remove(options.remove)) {
      throw Error(ErrorKind::not_found, "there is no such snapshot", options.remove,
                  "`dae mirror snapshots` lists them");
    }
    context.say(fmt::format("removed {}; `dae mirror gc` frees what only it listed", options.remove));
    return 0;
  }
  Value list = Value::array();
  Table table({"SNAPSHOT", "INDEX", "REVISION", "MADE", "NOTE"}, {Align::left, Align::left, Align::right});
  for (const mirror::Snapshot& one : mirror.snapshots.list()) {
    list.push_back(to_value(one));
    table.add({one.id, one.index, std::to_string(one.revision), format_utc(one.made_ms), one.note});
  }
  if (context.globals.json) {
    context.print_json(list);
  } else if (table.empty()) {
    context.say("no snapshots; `dae mirror snapshot INDEX` makes one");
  } else {
    context.print(table.render());
  }
  return 0;
}

void print_promotion(const mirror::Promotion& promotion, const Options& options, bool done, Context& context) {
  if (context.globals.json) {
    context.print_json(Value::object({{"from", options.from},
                                      {"to", options.to},
                                      {"added", Value::strings(promotion.added)},
                                      {"changed", Value::strings(promotion.changed)},
                                      {"removed", Value::strings(promotion.removed)},
                                      {"held_back", Value::strings(promotion.held_back)},
                                      {"done", done}}));
    return;
  }
  const auto list = [&](const char* sign, const std::vector<std::string>& names) {
    for (const std::string& name : names) context.print(fmt::format("{} {}\n", sign, name));
  };
  list("+", promotion.added);
  list("~", promotion.changed);
  list("-", promotion.removed);
  for (const std::string& reason : promotion.held_back) context.say("held back: " + reason);
  if (promotion.changes.empty()) {
    context.say(fmt::format("`{}` lists already what `{}` does", options.to, options.from));
  } else {
    context.say(fmt::format("{} {} of {} projects to `{}`", done ? "promoted" : "would promote",
                            promotion.changes.size(), options.from, options.to));
  }
}

int run_promote(const Options& options, Context& context) {
  Opened mirror(options, context);
  const mirror::IndexConfig& to = mirror.required_index(options.to);
  if (to.mode != "private") {
    throw Error(ErrorKind::refused, "only an index of mode `private` can be promoted to", options.to,
                "what an upstream says would undo it");
  }
  const auto snapshot = mirror.snapshots.find(options.from);
  const mirror::IndexConfig* from = mirror.index(snapshot ? snapshot->index : options.from);
  if (!snapshot) mirror.required_index(options.from);
  std::vector<std::string> projects;
  for (const std::string& name : options.projects) projects.push_back(resolver::normalize_name(name));
  const int64_t revision = snapshot ? snapshot->revision : mirror.pages.revision(options.from);
  mirror::Policies policies(mirror.config.indexes, mirror.catalog, mirror.pages, context.clock);
  const mirror::Promotion promotion = mirror::plan_promotion(mirror.pages, snapshot ? snapshot->index : options.from,
                                                             revision, options.to, projects, &policies);
  if (!options.dry_run && !promotion.changes.empty()) {
    mirror::Metrics metrics;
    std::optional<mirror::Upstream> upstream;
    if (from != nullptr && from->mode != "private" && !from->frozen && !context.globals.offline) {
      upstream.emplace(*from, mirror.config, context.transport(), *context.runner, metrics);
    }
    mirror::fetch_missing(promotion, upstream ? &*upstream : nullptr, mirror.storage->blobs(), *context.events);
    mirror.pages.apply(options.to, promotion.changes, context.clock.wall_ms(), "promoted from " + options.from);
  }
  print_promotion(promotion, options, !options.dry_run, context);
  return 0;
}

}  // namespace

Command mirror_snapshot_command() {
  return {"mirror snapshot", "freeze what an index lists", "Services", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            options->place.options(line);
            line.positional("index", options->index, "name of the index", true);
            line.option("--name", options->name, "name of the snapshot; default: the index and the time");
            line.option("--note", options->note, "what it is for");
            return [options](Context& context) { return run_snapshot(*options, context); };
          }};
}

Command mirror_snapshots_command() {
  return {"mirror snapshots", "list snapshots, or remove one", "Services", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            options->place.options(line);
            line.option("--remove", options->remove, "remove the snapshot of this name");
            return [options](Context& context) { return run_snapshots(*options, context); };
          }};
}

Command mirror_promote_command() {
  return {"mirror promote", "make one index list what another, or a snapshot, does", "Services",
          [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            options->place.options(line);
            line.positional("from", options->from, "an index or a snapshot", true);
            line.positional("to", options->to, "an index of mode `private`", true);
            line.positionals("project", options->projects, "these projects only; default: all, and no others");
            line.flag("-n,--dry-run", options->dry_run, "say what would change");
            return [options](Context& context) { return run_promote(*options, context); };
          }};
}

}  // namespace dae::cli
