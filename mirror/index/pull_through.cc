#include "mirror/index/pull_through.h"

#include "base/log.h"
#include "mirror/sync/settings.h"

namespace dae::mirror {
namespace {

constexpr int64_t kAbsentFreshMs = 60'000;
// After a failed fetch the kept page is answered this long before upstream is tried again: a client should not pay
// a connect time-out per page.
constexpr int64_t kRetryAfterMs = 30'000;

}  // namespace

PullThroughIndex::PullThroughIndex(const IndexConfig& config, std::unique_ptr<Upstream> upstream, PageStore& pages,
                                   Clock& clock, Metrics& metrics, Gate& gate, const Overlays& overlays)
    : name_(config.name),
      pages_frozen_(config.frozen || config.sync),
      frozen_(config.frozen || (config.sync && !config.sync->on_demand)),
      upstream_(std::move(upstream)),
      pages_(pages),
      clock_(clock),
      metrics_(metrics),
      gate_(gate),
      overlays_(overlays) {}

std::optional<KeptPage> PullThroughIndex::page(const std::string& project) {
  if (!overlays_.bar(name_, project).empty()) return std::nullopt;
  std::optional<ProjectRow> row = pages_.find(name_, project);
  bool stale = false;
  if (!pages_frozen_ && (!row || row->fresh_until_ms <= clock_.wall_ms())) {
    const Gate::Pass pass(gate_);
    stale = flights_.run(project, [&] { return refresh(project); });
    row = pages_.find(name_, project);
  }
  if (!row || !row->present) return std::nullopt;
  return KeptPage{*row, stale};
}

bool PullThroughIndex::refresh(const std::string& project) {
  const std::optional<ProjectRow> kept = pages_.find(name_, project);
  if (kept && kept->fresh_until_ms > clock_.wall_ms()) return false;
  const bool usable = kept && kept->present;
  try {
    const UpstreamPage answer =
        upstream_->page(project, usable ? kept->etag : "", usable ? kept->last_modified : "", !kept);
    const int64_t now_ms = clock_.wall_ms();
    const bool absent = answer.kind == UpstreamPage::Kind::absent;
    if (answer.kind == UpstreamPage::Kind::unchanged && !usable) {
      throw Error(ErrorKind::network, "upstream answered 304 to an unconditional request", project);
    }
    pages_.store(name_, project, answer, now_ms, now_ms + (absent ? kAbsentFreshMs : answer.fresh_ms));
    return false;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::io) {  // our own disk, not upstream
      if (!usable) throw;
      metrics_.stale_pages += 1;
      log_error("the page cannot be stored, answering with the page kept",
                {{"index", name_}, {"project", project}, {"why", error.what()}});
      return true;
    }
    if (!kept) {
      throw Error(ErrorKind::network, "the page of `" + project + "` cannot be fetched from upstream", error.subject())
          .because(error.cause().empty() ? error.message() : error.message() + ": " + error.cause())
          .with_hint(error.hint());
    }
    metrics_.stale_pages += 1;
    log_warn(
        "upstream cannot be asked, answering with the page kept",
        {{"index", name_}, {"project", project}, {"fetched", format_utc(kept->fetched_ms)}, {"why", error.what()}});
    pages_.postpone(kept->id, clock_.wall_ms() + kRetryAfterMs);
    return true;
  }
}

}  // namespace dae::mirror
