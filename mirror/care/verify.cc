#include "mirror/care/verify.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "mirror/care/hashing.h"
#include "mirror/care/live_blobs.h"
#include "mirror/care/runs.h"
#include "mirror/sync/settings.h"

namespace dae::mirror {
namespace {

constexpr int64_t kOldestMarkMs = 30ll * 86'400'000;

struct Mark {
  std::string position;
  int64_t started_ms = 0;
  Hashed before;  // hashed by the runs that this one goes on from
};

// Marks of another selection of blobs say nothing about this one.
std::string scope_of(const VerifyOptions& options) {
  return options.since_ms ? "since " + std::to_string(*options.since_ms) : "all";
}

std::optional<Mark> read_mark(const CareScope& scope, const VerifyOptions& options) {
  return scope.catalog.read([&](Database& db) -> std::optional<Mark> {
    Statement row = db.prepare("SELECT position, started_ms, counts FROM verify_mark WHERE scope = ?");
    row.bind(1, scope_of(options));
    if (!row.step() || scope.clock.wall_ms() - row.integer(1) > kOldestMarkMs) return std::nullopt;
    const Value counts = parse_json(row.text(2), "catalog").root;
    return Mark{
        row.text(0), row.integer(1),
        Hashed{static_cast<uint64_t>(counts.get_integer("blobs")), static_cast<uint64_t>(counts.get_integer("bytes"))}};
  });
}

void write_mark(const CareScope& scope, const VerifyOptions& options, const Mark& mark, const std::string& position,
                const Hashed& hashed) {
  const Value counts =
      Value::object({{"blobs", mark.before.blobs + hashed.blobs}, {"bytes", mark.before.bytes + hashed.bytes}});
  scope.catalog.write_local([&](Database& db) {
    db.prepare("INSERT OR REPLACE INTO verify_mark(id, position, started_ms, scope, counts) VALUES(1,?,?,?,?)")
        .bind(1, position)
        .bind(2, mark.started_ms)
        .bind(3, scope_of(options))
        .bind(4, canonical_json(counts))
        .run();
  });
}

void remove_mark(Catalog& catalog) {
  catalog.write_local([](Database& db) { db.execute("DELETE FROM verify_mark"); });
}

void take_out(const CareScope& scope, const Digest& digest) {
  scope.blobs.quarantine(digest);
  log_error("a blob is not what its name says", {{"sha256", digest.hex()}, {"moved_to", "quarantine"}});
  warning(scope.events, "blob " + digest.hex() + " is corrupt: moved to quarantine");
}

Hashed hash_what_is_left(const CareScope& scope, const VerifyOptions& options, const Mark& mark) {
  const int64_t since_ms = options.since_ms ? mark.started_ms - *options.since_ms : INT64_MIN;
  BlobQueue queue(scope.blobs, mark.position, since_ms);
  return hash_all(
      scope, options, queue, [&](const StoredBlob& blob) { take_out(scope, blob.digest); },
      [&](const std::string& position, const Hashed& hashed) { write_mark(scope, options, mark, position, hashed); });
}

bool holds_everything(const IndexConfig& index) {
  return index.mode == "sync" && (!index.sync || !index.sync->on_demand);
}

// A copy in a cache of this machine is not the store's.
bool lacks(const BlobStore& blobs, const Digest& digest) {
  return !blobs.find(digest) || !blobs.has(digest);
}

// Files that pages list and that only we can have: nobody fetches them when they are asked for. The store is asked for
// its list, and for single blobs only when they are not in it: far fewer requests, where it is an object store.
void add_missing_files(const CareScope& scope, std::set<Digest>& missing) {
  LiveBlobs held;
  scope.blobs.for_each([&](const Digest& digest, uint64_t) { held.add(digest); });
  held.seal();
  for (const IndexConfig& index : scope.config.indexes) {
    for_each_project(scope.catalog, scope.pages, index.name, [&](const std::string&, const ProjectDocument& document) {
      for (const resolver::IndexFile& file : document.page.files) {
        if (!holds_everything(index) && !file.url.empty()) continue;
        const Digest digest = Digest::parse(file.sha256);
        if (!held.contains(digest) && lacks(scope.blobs, digest)) missing.insert(digest);
      }
    });
  }
}

void add_missing_of_registry(const CareScope& scope, std::set<Digest>& missing) {
  std::vector<std::string> names;
  scope.catalog.read([&](Database& db) {
    Statement rows = db.prepare(
        "SELECT DISTINCT ifnull(d.sha256, b.digest) FROM (SELECT digest FROM repository_blobs UNION "
        "SELECT digest FROM manifests) b LEFT JOIN digests d ON d.digest = b.digest");
    while (rows.step()) names.push_back(rows.text(0));
  });
  for (const std::string& name : names) {
    if (lacks(scope.blobs, Digest::parse(name))) missing.insert(Digest::parse(name));
  }
}

// What runs before this one put into quarantine counts as long as the store lacks it.
std::vector<Damage> find_damages(const CareScope& scope) {
  std::set<Digest> corrupt, missing;
  for (const StoredBlob& blob : scope.blobs.quarantined()) {
    if (lacks(scope.blobs, blob.digest)) corrupt.insert(blob.digest);
  }
  add_missing_files(scope, missing);
  add_missing_of_registry(scope, missing);
  std::set<Digest> all = corrupt;
  all.insert(missing.begin(), missing.end());
  const auto listers = find_listers(scope.catalog, scope.pages, all);
  std::vector<Damage> damages;
  for (const Digest& digest : all) {
    const auto found = listers.find(digest);
    // Nobody needs what nothing lists, and its wrong bytes are out of the way.
    if (found == listers.end()) continue;
    damages.push_back({digest, !corrupt.contains(digest), found->second, false, ""});
  }
  return damages;
}

void repair_all(const CareScope& scope, Repairer& repairer, std::vector<Damage>& damages) {
  uint64_t done = 0;
  Activity activity(scope.events, "repairing", std::to_string(damages.size()) + " blobs", damages.size());
  for (Damage& damage : damages) {
    if (scope.stop()) return;
    damage.repaired = repairer.repair(damage.digest, damage.listed_by, damage.why_not);
    if (damage.repaired) damage.why_not.clear();
    activity.progress(++done);
  }
  activity.finish();
}

Value counts_of(const VerifyReport& report) {
  const auto count = [&](const auto& filter) {
    return static_cast<int64_t>(std::count_if(report.damages.begin(), report.damages.end(), filter));
  };
  return Value::object({{"blobs", report.blobs},
                        {"bytes", report.bytes},
                        {"corrupt", count([](const Damage& damage) { return !damage.missing; })},
                        {"missing", count([](const Damage& damage) { return damage.missing; })},
                        {"repaired", count([](const Damage& damage) { return damage.repaired; })}});
}

}  // namespace

bool VerifyReport::all_well() const {
  return std::all_of(damages.begin(), damages.end(), [](const Damage& damage) { return damage.repaired; });
}

VerifyReport run_verify(const CareScope& scope, const VerifyOptions& options) {
  const auto lock = FileLock::try_acquire(scope.config.storage / "verify.lock");
  if (!lock)
    throw Error(ErrorKind::refused, "another verification of this storage runs", scope.config.storage.string());
  Run run(scope.catalog, scope.clock, "verify");
  VerifyReport report;
  const auto kept = options.from_start ? std::nullopt : read_mark(scope, options);
  const Mark mark = kept.value_or(Mark{"", scope.clock.wall_ms(), {}});
  report.resumed = kept.has_value();
  const Hashed hashed = hash_what_is_left(scope, options, mark);
  report.blobs = mark.before.blobs + hashed.blobs;
  report.bytes = mark.before.bytes + hashed.bytes;
  report.finished = !scope.stop();
  if (report.finished) {
    report.damages = find_damages(scope);
    if (options.repairer != nullptr && !report.damages.empty()) repair_all(scope, *options.repairer, report.damages);
    report.finished = !scope.stop();
  }
  if (report.finished) remove_mark(scope.catalog);
  run.finish(!report.finished ? "interrupted" : report.all_well() ? "done" : "damaged", counts_of(report));
  return report;
}

Value to_value(const VerifyReport& report) {
  Value damages = Value::array();
  for (const Damage& damage : report.damages) {
    Value listed_by = Value::array();
    for (const Lister& lister : damage.listed_by) listed_by.push_back(lister.text());
    Value one = Value::object({{"digest", damage.digest.oci()},
                               {"what", damage.missing ? "missing" : "corrupt"},
                               {"listed_by", std::move(listed_by)},
                               {"repaired", damage.repaired}});
    if (!damage.why_not.empty()) one.set("why_not", damage.why_not);
    damages.push_back(std::move(one));
  }
  return Value::object({{"finished", report.finished},
                        {"resumed", report.resumed},
                        {"counts", counts_of(report)},
                        {"damages", std::move(damages)}});
}

}  // namespace dae::mirror
