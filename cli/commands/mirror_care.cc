// dae mirror verify, dae mirror gc, dae mirror status: beside a mirror that runs, or without.
#include <fmt/format.h>

#include <thread>

#include "base/error.h"
#include "base/strings.h"
#include "base/table.h"
#include "cli/commands/commands.h"
#include "cli/context.h"
#include "cli/mirror_place.h"
#include "mirror/care/gc.h"
#include "mirror/care/status.h"
#include "mirror/care/verify.h"
#include "mirror/storage/storage.h"

namespace dae::cli {
namespace {

// A machine that follows the shared catalog is never this far behind.
constexpr int64_t kLogKeptMs = 86'400'000;

struct Options {
  MirrorPlace place;
  bool repair = false, from_start = false, dry_run = false;
  std::string since, grace;
  int64_t jobs = 0;
};

// A storage opened beside whoever serves it.
struct OpenStorage {
  OpenStorage(const MirrorPlace& place, Context& context)
      : config(place.read()),
        storage(mirror::open_storage(config, context.clock)),
        pages(storage->catalog()),
        scope{config, storage->catalog(), pages, storage->blobs(), context.clock, *context.events, [] {
                return StopSignal::requested();
              }} {
    StopSignal::install();
  }

  mirror::MirrorConfig config;
  std::unique_ptr<mirror::Storage> storage;
  mirror::PageStore pages;
  mirror::CareScope scope;
};

std::string describe(const mirror::Damage& damage) {
  std::vector<std::string> listers;
  for (const mirror::Lister& lister : damage.listed_by) listers.push_back(lister.text());
  std::string state = damage.repaired ? "  repaired" : damage.missing ? "  missing " : "  corrupt ";
  state += fmt::format("  sha256:{}  {}\n", damage.digest.hex(), join(listers, ", "));
  if (!damage.why_not.empty()) state += fmt::format("            not repaired: {}\n", damage.why_not);
  return state;
}

int run_verify(const Options& options, Context& context) {
  OpenStorage storage(options.place, context);
  mirror::VerifyOptions verify;
  if (!options.since.empty()) verify.since_ms = parse_duration_ms(options.since);
  if (options.jobs < 0 || options.jobs > 256) throw Error(ErrorKind::usage, "`--jobs` is a number up to 256");
  verify.jobs = options.jobs > 0 ? static_cast<int>(options.jobs)
                                 : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  verify.from_start = options.from_start;
  std::optional<mirror::Repairer> repairer;
  if (options.repair) {
    repairer.emplace(storage.config, storage.pages, storage.storage->blobs(), context.transport(), *context.runner);
    verify.repairer = &*repairer;
  }
  const auto alone = storage.storage->exclude("verify");
  const mirror::VerifyReport report = mirror::run_verify(storage.scope, verify);
  if (context.globals.json) {
    context.print_json(to_value(report));
  } else {
    for (const mirror::Damage& damage : report.damages) context.print(describe(damage));
    context.say(fmt::format("{} blobs, {} verified{}{}", report.blobs, format_bytes(report.bytes),
                            report.resumed ? ", going on from an earlier run" : "",
                            !report.finished         ? "; stopped: the next run goes on from here"
                            : report.damages.empty() ? ", all as it should be"
                                                     : ""));
  }
  if (!report.finished) return exit_code(ErrorKind::interrupted);
  return report.all_well() ? 0 : 1;
}

int run_gc(const Options& options, Context& context) {
  OpenStorage storage(options.place, context);
  mirror::GcOptions gc;
  gc.dry_run = options.dry_run;
  if (!options.grace.empty()) gc.grace_ms = parse_duration_ms(options.grace);
  if (storage.config.shared && gc.grace_ms && *gc.grace_ms < storage.config.care.grace_ms) {
    throw Error(ErrorKind::refused, "`--grace` is less than `care.grace`", options.grace,
                "other machines rely on that time while they push");
  }
  const auto alone = storage.storage->exclude("gc");
  mirror::GcReport report = mirror::run_gc(storage.scope, gc);
  if (!gc.dry_run) report.leftover_bytes += storage.storage->tidy(context.clock.wall_ms() - kLogKeptMs);
  if (context.globals.json) {
    context.print_json(to_value(report));
  } else {
    context.print(fmt::format("{} {} in {} blobs and {} rows of the catalog; kept {} in {} blobs\n",
                              report.dry_run ? "would free" : "freed",
                              format_bytes(report.bytes + report.leftover_bytes + report.quarantine_bytes),
                              report.blobs, report.rows, format_bytes(report.kept_bytes), report.kept_blobs));
    if (report.young_blobs > 0) {
      context.say(fmt::format("{} blobs ({}) are needed by nothing but were put lately: a later run frees them",
                              report.young_blobs, format_bytes(report.young_bytes)));
    }
  }
  return report.finished ? 0 : exit_code(ErrorKind::interrupted);
}

std::string render_indexes(const mirror::MirrorStatus& status, int64_t now_ms) {
  Table table({"INDEX", "MODE", "PROJECTS", "FILES", "HELD", "SIZE", "CHANGED", "UPSTREAM"},
              {Align::left, Align::left, Align::right, Align::right, Align::right, Align::right});
  for (const mirror::IndexStatus& index : status.indexes) {
    table.add({index.name, index.mode.empty() ? "not in mirror.yaml" : index.mode, std::to_string(index.projects),
               std::to_string(index.files), std::to_string(index.held_files), format_bytes(index.held_bytes),
               index.changed_ms == 0 ? "" : format_utc(index.changed_ms), describe_behind(index, now_ms)});
  }
  return table.render();
}

std::string render_runs(const mirror::MirrorStatus& status) {
  if (status.runs.empty()) return "";
  Table table({"RUN", "INDEX", "STARTED", "TOOK", "RESULT"});
  for (const mirror::RunRow& run : status.runs) {
    table.add({run.kind, run.index, format_utc(run.started_ms),
               run.ended_ms ? format_duration(std::max<int64_t>(*run.ended_ms - run.started_ms, 0)) : "",
               run.ended_ms ? run.result : "running, or killed"});
  }
  return "\n" + table.render();
}

std::string render_rest(const mirror::MirrorStatus& status) {
  std::string out = fmt::format("\n{} repositories, {} manifests, {} tags; {} snapshots\n", status.repositories,
                                status.manifests, status.tags, status.snapshots);
  out += fmt::format("{} blobs, {}; disk: {} free of {}\n", status.blobs, format_bytes(status.bytes),
                     format_bytes(status.disk_free_bytes), format_bytes(status.disk_bytes));
  if (status.upload_sessions > 0) {
    out += fmt::format("{} unfinished uploads, {}\n", status.upload_sessions, format_bytes(status.upload_bytes));
  }
  if (status.quarantined_blobs > 0) {
    out += fmt::format("{} corrupt blobs in quarantine, {}\n", status.quarantined_blobs,
                       format_bytes(status.quarantined_bytes));
  }
  if (status.verified_percent) {
    out += fmt::format("a verification stands at {} %: `dae mirror verify` goes on\n", *status.verified_percent);
  }
  return out;
}

int run_status(const Options& options, Context& context) {
  OpenStorage storage(options.place, context);
  const mirror::MirrorStatus status = mirror::read_status(storage.scope);
  if (context.globals.json) {
    context.print_json(to_value(status));
    return 0;
  }
  context.print(render_indexes(status, context.clock.wall_ms()) + render_rest(status) + render_runs(status));
  return 0;
}

}  // namespace

Command mirror_verify_command() {
  return {"mirror verify", "hash the stored blobs again, and fetch again what is damaged", "Services",
          [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            options->place.options(line);
            line.flag("--repair", options->repair, "fetch what is corrupt or missing from upstream");
            line.option("--since", options->since, "only blobs put this lately, such as 7d");
            line.option("-j,--jobs", options->jobs, "blobs at once; 0: as many as there are processors");
            line.flag("--from-start", options->from_start, "do not go on where an earlier run was stopped");
            line.details(
                "Corrupt blobs are moved to <storage>/quarantine and never served. A run that was stopped or killed\n"
                "goes on with the next. Ends with 1 when something is wrong that was not repaired.");
            return [options](Context& context) { return run_verify(*options, context); };
          }};
}

Command mirror_gc_command() {
  return {"mirror gc", "free what no index, snapshot or repository needs", "Services", [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            options->place.options(line);
            line.flag("-n,--dry-run", options->dry_run, "only say what would be freed");
            line.option("--grace", options->grace, "keep what was put this lately (default: mirror.yaml's, 2h)");
            line.details("May run, and be killed, while the mirror serves.");
            return [options](Context& context) { return run_gc(*options, context); };
          }};
}

Command mirror_status_command() {
  return {"mirror status", "what a mirror holds, how far behind it is, and its last runs", "Services",
          [](CommandLine& line) -> Action {
            auto options = std::make_shared<Options>();
            options->place.options(line);
            return [options](Context& context) { return run_status(*options, context); };
          }};
}

}  // namespace dae::cli
