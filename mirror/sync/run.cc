#include "mirror/sync/run.h"

#include "base/error.h"
#include "base/log.h"
#include "mirror/care/runs.h"
#include "mirror/policy/policies.h"
#include "mirror/storage/storage.h"
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

Value noted(const SyncReport& report) {
  Value counts = counts_of(report);
  counts.set("failed", report.failures.size());
  return counts;
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

// One run over an index: what it works on, and its steps in order.
class Session {
 public:
  Session(const MirrorConfig& config, const IndexConfig& index, Transport& transport, ProcessRunner& runner,
          Clock& clock, EventSink& events, const SyncOptions& options)
      : config_(config),
        index_(index),
        clock_(clock),
        events_(events),
        options_(options),
        settings_(settings_of(index)),
        selector_(complete_filter(settings_)),
        lock_(lock_index(config.storage, index.name)),
        upstream_(index, config, transport, runner, metrics_) {}

  SyncReport run() {
    SyncReport report;
    report.index = index_.name;
    report.plan = options_.plan_only;
    report.lists_projects = options_.list_projects;
    if (options_.plan_only) {
      work(report);
      return report;
    }
    Run run(catalog_, clock_, "sync", index_.name);
    try {
      work(report);
    } catch (const Error& error) {
      run.finish(std::string("failed: ") + error.what(), Value::object());
      throw;
    }
    on_step("note the run");
    run.finish(result_of(report), noted(report));
    storage_->maintain();
    return report;
  }

 private:
  void work(SyncReport& report) {
    const int64_t started_ms = clock_.monotonic_ms();
    report.upstream = upstream_.shown_url();
    bool conditional = false;
    std::deque<Task> tasks = decide(report, conditional);
    carry_out(std::move(tasks), conditional, report);
    report.sort();
    report.duration_ms = clock_.monotonic_ms() - started_ms;
  }

  // The upstream's list does not outlive this: it may be large, and the transfers are still to come.
  std::deque<Task> decide(SyncReport& report, bool& conditional) {
    const Overlays overlays = overlays_of(config_.indexes, pages_);
    const Fetched fetched = list_of(upstream_, selector_, overlays.barred_from(index_.name));
    const Value state = state_of(selector_, settings_, upstream_, fetched);
    const bool alike = decided_alike(known_state(catalog_, index_.name), state);
    Difference difference =
        compare(catalog_, index_.name, fetched.list, options_.all || !alike, selector_.filter().max_age_ms.has_value());
    refuse_mass_removal(difference, selector_, options_);
    if (!options_.plan_only) {
      on_step("note the rules");
      note_state(catalog_, index_.name, state, alike);
    }
    report.by_serials = fetched.by_serials;
    report.listed = difference.listed;
    report.unchanged = difference.unchanged;
    conditional = alike && !options_.all;
    return std::move(difference.tasks);
  }

  void carry_out(std::deque<Task> tasks, bool conditional, SyncReport& report) {
    const auto flush = [this] {
      if (options_.flush) storage_->flush();
    };
    Publisher publisher(catalog_, pages_, blobs_, flush, index_.name, clock_,
                        [this](const char* step) { on_step(step); });
    EngineParts parts{
        index_.name, upstream_, selector_,          settings_,   config_.file_limit_bytes, pages_, blobs_, publisher,
        clock_,      events_,   options_.plan_only, conditional, options_.stop_requested};
    Engine(std::move(parts), std::move(tasks), report).run();
  }

  void on_step(const char* step) const {
    if (options_.on_step) options_.on_step(step);
  }

  const MirrorConfig& config_;
  const IndexConfig& index_;
  Clock& clock_;
  EventSink& events_;
  const SyncOptions& options_;
  const SyncSettings& settings_;
  const Selector selector_;
  const FileLock lock_;
  const std::unique_ptr<Storage> storage_ = open_storage(config_, clock_, {.create = true, .blobs = Durability::none});
  const std::unique_ptr<HeldLease> turn_ = storage_->exclude("sync-" + index_.name);
  Catalog& catalog_ = storage_->catalog();
  BlobStore& blobs_ = storage_->blobs();
  PageStore pages_{catalog_};
  Metrics metrics_;
  Upstream upstream_;
};

}  // namespace

SyncReport run_sync(const MirrorConfig& config, const IndexConfig& index, Transport& transport, ProcessRunner& runner,
                    Clock& clock, EventSink& events, const SyncOptions& options) {
  return Session(config, index, transport, runner, clock, events, options).run();
}

}  // namespace dae::mirror::sync
