#include "resolver/solver/search.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace dae::resolver {

namespace {
constexpr int kClashesBeforeSwap = 5;  // uv's CONFLICT_THRESHOLD
constexpr uint32_t kTriedBeforePrefetch = 5;
constexpr uint32_t kMostPrefetched = 50;
}  // namespace

SearchEnd Search::run() {
  universe_.add_roots();
  while (true) {
    if (universe_.must_restart()) return SearchEnd::restart;
    if (const auto failed = engine_.propagate()) {
      contradiction_ = *failed;
      return SearchEnd::no_solution;
    }
    note_clashes();
    const auto next = next_package();
    if (!next) return SearchEnd::solved;
    decide(*next);
    if (steps() > request_.max_steps) give_up();
  }
}

std::optional<PackageId> Search::next_package() const {
  std::optional<PackageId> best;
  auto best_urgency = Urgency::late;
  for (PackageId p = 0; p < engine_.package_count(); ++p) {
    if (engine_.decision(p) || !engine_.required(p)) continue;
    auto urgency = p < urgency_.size() ? urgency_[p] : Urgency::normal;
    if (engine_.allowed(p).count() == 1) urgency = Urgency::forced;
    if (best && urgency >= best_urgency) continue;
    best = p;
    best_urgency = urgency;
    if (urgency == Urgency::forced) break;
  }
  return best;
}

uint32_t Search::best_version(PackageId base) const {
  const VersionSet& allowed = engine_.allowed(base);
  for (const uint32_t ordinal : universe_.info(base).order) {
    if (allowed.test(ordinal)) return ordinal;
  }
  return allowed.next(0);
}

bool Search::decide(PackageId p) {
  if (universe_.info(p).base != p) return decide_extra(p);
  take(p, best_version(p));
  return true;
}

// An extra follows its package: first the package's versions are narrowed to those the extra may have, then the package
// is decided, then the extra takes the same version.
bool Search::decide_extra(PackageId p) {
  const PackageId base = universe_.info(p).base;
  const VersionSet& allowed = engine_.allowed(p);
  if (!engine_.allowed(base).subset_of(allowed)) {
    universe_.tie_to_base(p, VersionSet(allowed));
    return false;
  }
  const auto decided = engine_.decision(base);
  if (decided) {
    take(p, *decided);
  } else {
    take(base, best_version(base));
  }
  return true;
}

void Search::take(PackageId p, uint32_t ordinal) {
  ++decisions_;
  ++universe_.info(p).tried;
  prefetch_more(p);
  universe_.expand(p, ordinal);
  if (universe_.must_restart()) return;
  // A version that cannot be is ruled out where we stand: deciding it would make us jump back further than needed.
  if (const auto clash = engine_.clash(p, ordinal)) {
    for (const Term& term : engine_.incompatibility(*clash).terms) {
      if (term.package == p) continue;
      if (const auto culprit = engine_.blame(term.package, term.set.complement())) note_clash(p, *culprit);
    }
    engine_.look_again(*clash);
    return;
  }
  engine_.decide(p, ordinal);
}

void Search::prefetch_more(PackageId p) {
  const PackageInfo& info = universe_.info(p);
  const uint32_t tried = info.tried;
  if (tried < kTriedBeforePrefetch || tried % kTriedBeforePrefetch != 0) return;
  if (tried > 4 * kTriedBeforePrefetch && tried % (4 * kTriedBeforePrefetch) != 0) return;
  uint32_t left = std::min(tried * 2, kMostPrefetched);
  const PackageInfo& base = universe_.base_of(p);
  for (const uint32_t ordinal : base.order) {
    if (!engine_.allowed(p).test(ordinal) || info.expanded.test(ordinal)) continue;
    provider_.prefetch_metadata(base.name, base.candidates[ordinal].version);
    if (--left == 0) return;
  }
}

void Search::note_clashes() {
  for (const auto& [later, earlier] : engine_.take_clashes()) note_clash(later, earlier);
}

// After some clashes of one package with what was decided before it, the two change places: else all versions of the
// one would be walked through before the other is questioned.
void Search::note_clash(PackageId later, PackageId earlier) {
  if (later == earlier) return;
  ++pairs_[{later, earlier}];
  urgency_.resize(universe_.size(), Urgency::normal);
  hindered_.resize(universe_.size());
  hindering_.resize(universe_.size());
  if (++hindered_[later] == kClashesBeforeSwap && urgency_[later] == Urgency::normal) {
    urgency_[later] = Urgency::early;
  }
  if (++hindering_[earlier] == kClashesBeforeSwap && urgency_[earlier] == Urgency::normal) {
    urgency_[earlier] = Urgency::late;
    engine_.undo_decision(earlier);
  }
}

void Search::give_up() const {
  const auto worst =
      std::max_element(pairs_.begin(), pairs_.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  Error error(ErrorKind::failed, fmt::format("no answer after {} steps", steps()));
  if (worst == pairs_.end()) throw error;
  const std::string later = universe_.label(worst->first.first);
  const std::string earlier = universe_.label(worst->first.second);
  throw error.because(fmt::format("`{}` and `{}` clashed {} times", later, earlier, worst->second))
      .with_hint(fmt::format("narrow one of them down, say `{}>=…`", earlier));
}

}  // namespace dae::resolver
