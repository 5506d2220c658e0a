#include "mirror/sync/run.h"

#include "base/error.h"
#include "base/log.h"
#include "mirror/care/runs.h"
#include "mirror/policy/policies.h"
#include "mirror/sync/engine.h"
#include "resolver/standards/names.h"

namespace dae::mirror::sync {
namespace {

// An upstream that lists less than half of what it did is more likely to be broken than to mean it.
constexpr size_t kFewRemovals = 10;

struct Fetched {
  UpstreamList list;
  int64_t serial = 0;  // of the whole list; 0: not told
  bool by_serials = false;
};

// Names that the index must not speak for, because of an overlay over it.
using Barred = std::function<bool(const std::string&)>;

Fetched fetch_list(Upstream& upstream, const Selector& selector, const Barred& barred) {
  const HttpResponse response = upstream.transport().send(upstream.list_request());
  if (!response.ok()) {
    throw Error(ErrorKind::network,
                "upstream's list of projects cannot be had: it answered " + std::to_string(response.status),
                upstream.shown_url());
  }
  Fetched out;
  size_t without_serial = 0;
  resolver::visit_project_list(response.body, response.headers.get("Content-Type"), upstream.shown_url(),
                               [&](std::string_view name, int64_t serial) {
                                 const std::string normal = resolver::normalize_name(name);
                                 if (!selector.project(normal).kept() || barred(normal)) return;
                                 out.list.add(normal, serial);
                                 out.serial = std::max(out.serial, serial);
                                 without_serial += serial == 0 ? 1 : 0;
                               });
  out.list.sort();
  out.by_serials = out.list.size() > 0 && without_serial == 0;
  return out;
}

// Where every name is told, nobody has to know how many other projects the upstream has.
Fetched list_of(Upstream& upstream, const Selector& selector, const Barred& barred) {
  if (!selector.filter().names_all()) return fetch_list(upstream, selector, barred);
  Fetched out;
  for (const std::string& name : selector.filter().named()) {
    if (!barred(name)) out.list.add(name, 0);
  }
  out.list.sort();
  return out;
}

// What the serials of the index were decided by.
Value known_state(Catalog& catalog, const std::string& index) {
  return catalog.read([&](Database& db) -> Value {
    Statement row = db.prepare("SELECT state FROM sync_state WHERE index_name = ?");
    row.bind(1, index);
    return row.step() ? parse_json(row.text(0), "catalog").root : Value::object();
  });
}

// Under other rules no serial says anything any more. Noted before the first project is decided by them, so that a
// sync that is ended half way needs no memory of its own.
void note_state(Catalog& catalog, const std::string& index, const Value& state, bool alike) {
  catalog.write([&](Database& db) {
    if (!alike) {
      db.prepare("UPDATE projects SET serial = 0, etag = '', last_modified = '' WHERE index_name = ?")
          .bind(1, index)
          .run();
    }
    db.prepare("INSERT OR REPLACE INTO sync_state(index_name, state) VALUES(?,?)")
        .bind(1, index)
        .bind(2, canonical_json(state))
        .run();
  });
}

Difference compare(Catalog& catalog, const std::string& index, const UpstreamList& list, bool look_at_all,
                   bool with_unchanged) {
  Differ differ(list, look_at_all, with_unchanged);
  catalog.read([&](Database& db) {
    Statement rows = db.prepare("SELECT name, serial, document <> '' FROM projects WHERE index_name = ? ORDER BY name");
    rows.bind(1, index);
    while (rows.step()) differ.known(rows.text(0), rows.integer(1), rows.integer(2) != 0);
  });
  return differ.finish();
}

// Removals that our own rules ask for do not count.
void refuse_mass_removal(const Difference& difference, const Selector& selector, const SyncOptions& options) {
  size_t removed = 0;
  for (const Task& task : difference.tasks) {
    if (task.kind == Task::Kind::removed && selector.project(task.project).kept()) ++removed;
  }
  if (options.plan_only || options.accept_removals || removed <= kFewRemovals || removed * 2 < difference.kept) return;
  throw Error(ErrorKind::refused,
              "upstream does not list " + std::to_string(removed) + " of the " + std::to_string(difference.kept) +
                  " projects that are kept",
              "", "nothing was changed; if it is meant so, say `--accept-removals`");
}

Value state_of(const Selector& selector, const SyncSettings& settings, Upstream& upstream, const Fetched& fetched) {
  return Value::object({{"rules", selector.filter().digest()},
                        {"files", settings.on_demand ? "on-demand" : "all"},
                        {"upstream", upstream.shown_url()},
                        {"serial", fetched.serial}});
}

// Serials say nothing new when other rules were asked before, or when the upstream counts anew.
bool decided_alike(const Value& before, const Value& now) {
  for (const char* key : {"rules", "files", "upstream"}) {
    if (before.get_string(key) != now.get_string(key)) return false;
  }
  return now.get_integer("serial") >= before.get_integer("serial");
}

std::string result_of(const SyncReport& report) {
  if (report.interrupted) return "interrupted";
  return report.failures.empty() ? "done" : "partial: " + summary(report);
}

FileLock lock_index(const Path& storage, const std::string& index) {
  make_dirs(storage / "sync");
  auto lock = FileLock::try_acquire(storage / "sync" / (index + ".lock"));
  if (!lock) throw Error(ErrorKind::refused, "a sync of this index is running already", index);
  return std::move(*lock);
}

const SyncSettings& settings_of(const IndexConfig& index) {
  if (index.sync) return *index.sync;
  throw Error(ErrorKind::usage, "`" + index.name + "` is no index of mode `sync`", "",
              "`mode: sync` in mirror.yaml, or leave it to be pulled through");
}

}  // namespace

SyncReport run_sync(const MirrorConfig& config, const IndexConfig& index, Transport& transport, ProcessRunner& runner,
                    Clock& clock, EventSink& events, const SyncOptions& options) {
  const SyncSettings& settings = settings_of(index);
  const int64_t started_ms = clock.monotonic_ms();
  const Selector selector(complete_filter(settings));
  const FileLock lock = lock_index(config.storage, index.name);
  Catalog catalog(config.storage / "catalog.db");
  PageStore pages(catalog);
  const auto blobs = open_blob_store(config.storage / "blobs", Durability::none);
  Metrics metrics;
  Upstream upstream(index, config, transport, runner, metrics);
  std::optional<Run> run;
  if (!options.plan_only) run.emplace(catalog, clock, "sync", index.name);

  const auto on_step = [&](const char* step) {
    if (options.on_step) options.on_step(step);
  };

  SyncReport report;
  report.index = index.name;
  report.upstream = upstream.shown_url();
  report.plan = options.plan_only;
  const Overlays overlays = overlays_of(config.indexes, pages);
  Fetched fetched = list_of(upstream, selector, overlays.barred_from(index.name));
  Value state = state_of(selector, settings, upstream, fetched);
  const bool alike = decided_alike(known_state(catalog, index.name), state);
  Difference difference =
      compare(catalog, index.name, fetched.list, options.all || !alike, selector.filter().max_age_ms.has_value());
  refuse_mass_removal(difference, selector, options);
  if (!options.plan_only) on_step("note the rules");
  if (!options.plan_only) note_state(catalog, index.name, state, alike);
  report.by_serials = fetched.by_serials;
  report.listed = difference.listed;
  report.unchanged = difference.unchanged;

  const auto flush = [&] {
    if (options.flush) sync_file_system(config.storage);
  };
  Publisher publisher(catalog, pages, *blobs, flush, index.name, clock, on_step);
  EngineParts parts{index.name,
                    upstream,
                    selector,
                    settings,
                    config.file_limit_bytes,
                    pages,
                    *blobs,
                    publisher,
                    clock,
                    events,
                    options.plan_only,
                    alike && !options.all,
                    options.stop_requested};
  Engine engine(std::move(parts), std::move(difference.tasks), report);
  engine.run();
  report.sort();
  report.duration_ms = clock.monotonic_ms() - started_ms;
  if (run) {
    Value counts = to_value(report);
    for (const char* bulky : {"projects", "failures"}) counts.erase(bulky);
    counts.set("failed", report.failures.size());
    on_step("note the run");
    run->finish(result_of(report), counts);
  }
  return report;
}

}  // namespace dae::mirror::sync
