#include "mirror/care/gc.h"

#include <algorithm>

#include "base/error.h"
#include "mirror/care/old_rows.h"
#include "mirror/care/runs.h"

namespace dae::mirror {
namespace {

constexpr size_t kSweptAtOnce = 64;
// A download that was broken off may be gone on with for this long.
constexpr int64_t kLeftoverMs = 7 * 86'400'000;
constexpr int kShards = 256;

class Collection {
 public:
  Collection(const CareScope& scope, const GcOptions& options)
      : scope_(scope),
        now_ms_(scope.clock.wall_ms()),
        untouched_since_ms_(now_ms_ - options.grace_ms.value_or(scope.config.care.grace_ms)),
        removed_before_ms_(now_ms_ - scope.config.care.removed_for_ms) {
    report_.dry_run = options.dry_run;
  }

  GcReport run() {
    if (!report_.dry_run) report_.leftover_bytes = scope_.blobs.tidy(now_ms_ - kLeftoverMs);
    remove_rows();
    if (scope_.stop()) return report_;
    const LiveBlobs live = mark_live_blobs(scope_, [&](const std::string& document) {
      return is_needed_document(scope_.catalog, document, removed_before_ms_);
    });
    report_.rows += remove_stale_places(scope_, live, report_.dry_run);
    sweep(live);
    if (scope_.stop()) return report_;
    report_.rows += remove_learned(scope_, live, report_.dry_run);
    if (!report_.dry_run) report_.quarantine_bytes = scope_.blobs.forget_quarantined(removed_before_ms_);
    report_.finished = !scope_.stop();
    return report_;
  }

 private:
  void remove_rows() {
    report_.rows += remove_old_entries(scope_, removed_before_ms_, report_.dry_run);
    report_.rows += remove_old_documents(scope_, removed_before_ms_, report_.dry_run);
    report_.rows += remove_orphans(scope_, untouched_since_ms_, report_.dry_run);
  }

  void sweep(const LiveBlobs& live) {
    Activity activity(scope_.events, "sweeping", "", kShards);
    for (int shard = 0; shard < kShards; ++shard) {
      std::vector<StoredBlob> dead;
      for (const StoredBlob& blob : scope_.blobs.list(to_hex(std::string(1, static_cast<char>(shard))))) {
        if (live.contains(blob.digest)) {
          report_.kept_blobs += 1;
          report_.kept_bytes += blob.size_bytes;
        } else if (blob.touched_ms >= untouched_since_ms_) {
          keep_as_young(blob);
        } else {
          dead.push_back(blob);
        }
      }
      for (size_t at = 0; at < dead.size(); at += kSweptAtOnce) {
        if (scope_.stop()) return;
        const size_t end = std::min(at + kSweptAtOnce, dead.size());
        remove({dead.begin() + static_cast<ptrdiff_t>(at), dead.begin() + static_cast<ptrdiff_t>(end)});
      }
      activity.progress(static_cast<uint64_t>(shard) + 1);
    }
    activity.finish();
  }

  // No one else writes the catalog meanwhile: what was listed after the mark is seen here, and what will be listed
  // after this has been touched before.
  void remove(const std::vector<StoredBlob>& dead) {
    const auto each = [&](Database& db) {
      for (const StoredBlob& blob : dead) {
        // Without its stale places removed, a dry run would see those.
        if (!report_.dry_run && is_listed_now(db, blob.digest)) continue;
        if (!report_.dry_run && !scope_.blobs.remove_untouched(blob.digest, untouched_since_ms_)) {
          keep_as_young(blob);
          continue;
        }
        report_.blobs += 1;
        report_.bytes += blob.size_bytes;
      }
    };
    if (report_.dry_run) {
      scope_.catalog.read(each);
    } else {
      scope_.catalog.write(each);
    }
  }

  void keep_as_young(const StoredBlob& blob) {
    report_.young_blobs += 1;
    report_.young_bytes += blob.size_bytes;
  }

  const CareScope& scope_;
  const int64_t now_ms_, untouched_since_ms_, removed_before_ms_;
  GcReport report_;
};

}  // namespace

GcReport run_gc(const CareScope& scope, const GcOptions& options) {
  const auto lock = FileLock::try_acquire(scope.config.storage / "gc.lock");
  if (!lock) throw Error(ErrorKind::refused, "another collection of this storage runs", scope.config.storage.string());
  if (options.dry_run) return Collection(scope, options).run();
  Run run(scope.catalog, scope.clock, "gc");
  const GcReport report = Collection(scope, options).run();
  run.finish(report.finished ? "done" : "interrupted", to_value(report));
  return report;
}

Value to_value(const GcReport& report) {
  return Value::object({{"finished", report.finished},
                        {"dry_run", report.dry_run},
                        {"freed_blobs", report.blobs},
                        {"freed_bytes", report.bytes},
                        {"young_blobs", report.young_blobs},
                        {"young_bytes", report.young_bytes},
                        {"kept_blobs", report.kept_blobs},
                        {"kept_bytes", report.kept_bytes},
                        {"leftover_bytes", report.leftover_bytes},
                        {"quarantine_bytes", report.quarantine_bytes},
                        {"rows", report.rows}});
}

}  // namespace dae::mirror
