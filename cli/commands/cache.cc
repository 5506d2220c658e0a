// dae cache info, dae cache clean [NAME…], dae cache prune.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/table.h"
#include "cli/cache_folders.h"
#include "cli/commands/commands.h"
#include "cli/context.h"
#include "resolver/source/index_store.h"
#include "resolver/standards/names.h"

namespace dae::cli {
namespace {

struct Options {
  std::vector<std::string> names;
  bool dry_run = false, force = false;
};

CacheFolders folders(Context& context) {
  return CacheFolders(cache_dir(), resolver::cache_limit_bytes(), context.clock, *context.events);
}

uint64_t sum_of(const std::vector<CacheRemoval>& plan) {
  uint64_t out = 0;
  for (const CacheRemoval& removal : plan) out += removal.bytes;
  return out;
}

int run_info(const Options&, Context& context) {
  const CacheFolders cache = folders(context);
  const std::vector<CachePart> parts = cache.parts();
  const uint64_t would_free = sum_of(cache.prune_plan());
  uint64_t total = 0;
  Value list = Value::array();
  Table table({"PART", "ENTRIES", "SIZE"});
  for (const CachePart& part : parts) {
    total += part.bytes;
    list.push_back(Value::object({{"name", part.name},
                                  {"entries", static_cast<int64_t>(part.entries)},
                                  {"bytes", static_cast<int64_t>(part.bytes)}}));
    table.add({part.name, std::to_string(part.entries), format_bytes(part.bytes)});
  }
  if (context.globals.json) {
    context.print_json(Value::object({{"path", cache.root().string()},
                                      {"bytes", static_cast<int64_t>(total)},
                                      {"limit_bytes", static_cast<int64_t>(cache.limit_bytes())},
                                      {"prune_would_free", static_cast<int64_t>(would_free)},
                                      {"parts", std::move(list)}}));
    return 0;
  }
  context.print(table.render());
  context.print(fmt::format("\n{}: {} of {} (DAE_CACHE_MAX); `dae cache prune` would free {}\n", cache.root().string(),
                            format_bytes(total), format_bytes(cache.limit_bytes()), format_bytes(would_free)));
  return 0;
}

using Needs = std::vector<resolver::StoreNeed>;

void say_kept(const Needs& kept, Context& context) {
  if (kept.empty()) return;
  uint64_t bytes = 0;
  std::set<std::string> environments;
  for (const resolver::StoreNeed& need : kept) {
    bytes += need.bytes;
    for (const Path& environment : need.environments) environments.insert("`" + environment.string() + "`");
  }
  context.say(
      fmt::format("kept {} unpacked wheels ({}), as environments are links into them: {}; `--force` removes them",
                  kept.size(), format_bytes(bytes), fmt::join(environments, ", ")));
}

Value to_value(const Needs& kept) {
  Value out = Value::array();
  for (const resolver::StoreNeed& need : kept) {
    Value environments = Value::array();
    for (const Path& environment : need.environments) environments.push_back(environment.string());
    out.push_back(Value::object({{"path", need.path.string()},
                                 {"bytes", static_cast<int64_t>(need.bytes)},
                                 {"environments", std::move(environments)}}));
  }
  return out;
}

int carry_out(const Options& options, Context& context, const CacheFolders& cache,
              const std::vector<CacheRemoval>& plan, const Needs& kept = {}) {
  const uint64_t bytes = options.dry_run ? sum_of(plan) : cache.apply(plan, options.force);
  if (context.globals.json) {
    Value removed = Value::array();
    for (const CacheRemoval& one : plan) {
      removed.push_back(
          Value::object({{"part", one.part}, {"path", one.path.string()}, {"bytes", static_cast<int64_t>(one.bytes)}}));
    }
    context.print_json(Value::object({{"dry_run", options.dry_run},
                                      {"bytes", static_cast<int64_t>(bytes)},
                                      {"removed", std::move(removed)},
                                      {"kept", to_value(kept)}}));
    return 0;
  }
  if (options.dry_run) {
    for (const CacheRemoval& one : plan) {
      const std::string what = one.path.empty() ? "entries of the index store" : one.path.string();
      context.print(
          fmt::format("{:>10}  {}{}\n", format_bytes(one.bytes), what, one.why.empty() ? "" : "  (" + one.why + ")"));
    }
  }
  context.say(plan.empty() ? "nothing to remove"
                           : fmt::format("{} {}", options.dry_run ? "would free" : "freed", format_bytes(bytes)));
  say_kept(kept, context);
  return 0;
}

int run_clean(const Options& options, Context& context) {
  const CacheFolders cache = folders(context);
  std::set<std::string> names;
  for (const std::string& name : options.names) {
    if (!resolver::is_valid_name(name)) throw Error(ErrorKind::usage, "not the name of a package", name);
    names.insert(resolver::normalize_name(name));
  }
  const std::vector<CacheRemoval> plan =
      names.empty() ? cache.clean_plan(options.force) : cache.clean_plan(names, options.force);
  // Of single packages nobody needs to be told what else there is.
  return carry_out(options, context, cache, plan, options.force || !names.empty() ? Needs() : cache.needed_wheels());
}

int run_prune(const Options& options, Context& context) {
  const CacheFolders cache = folders(context);
  return carry_out(options, context, cache, cache.prune_plan());
}

Command make(const std::string& name, const std::string& summary, const std::string& details,
             int (*action)(const Options&, Context&), bool names, bool removes) {
  return {name, summary, "Services", [=](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            if (names) {
              line.positionals("NAME", options->names, "packages; default: everything");
              line.flag("--force", options->force, "also what environments are linked into: they break");
            }
            if (removes) line.flag("-n,--dry-run", options->dry_run, "only say what would be removed");
            line.details(details);
            return [options, action](Context& context) { return action(*options, context); };
          }};
}

}  // namespace

Command cache_info_command() {
  return make("cache info", "what is kept, its size, and what could go",
              "The limit is DAE_CACHE_MAX (such as 5GiB; default 2GiB).", run_info, false, false);
}
Command cache_clean_command() {
  return make("cache clean", "forget everything that is kept, or all about some packages",
              "Environments keep working: what they are symbolic links into stays.", run_clean, true, true);
}
Command cache_prune_command() {
  return make("cache prune", "remove leftovers, unpacked wheels that nobody uses, and the oldest beyond the limit",
              "Nothing younger than an hour is removed: an installation may be about to use it.", run_prune, false,
              true);
}

}  // namespace dae::cli
