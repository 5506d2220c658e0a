#include "resolver/solver/search.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "resolver/solver/explain.h"

namespace dae::resolver {

namespace {
constexpr int kClashesBeforeSwap = 5;  // uv's CONFLICT_THRESHOLD
constexpr int kLongestWay = 32;
constexpr uint32_t kTriedBeforePrefetch = 5;
constexpr uint32_t kMostPrefetched = 50;
// A walk ends where it would go on with sdists and has been long already: what they say costs a build each, and
// versions so old seldom are what anybody wants. numba below 0.57 on python 3.11 needs ten.
constexpr uint32_t kMostSdistsOfOnePackage = 10;
constexpr uint32_t kTriedBeforeSdists = 20;
}  // namespace

SearchEnd Search::run() {
  universe_.add_roots();
  for (PackageId p = 0; p < universe_.size(); ++p) fresh_.push_back(p);
  while (true) {
    if (universe_.must_restart()) return SearchEnd::restart;
    if (!propagate()) return SearchEnd::no_solution;
    prefetch_likely(std::exchange(fresh_, {}));
    const auto next = queue_.next();
    if (next) {
      decide(*next);
    } else if (universe_.has_waiting()) {
      fresh_ = universe_.advance();
    } else {
      return SearchEnd::solved;
    }
    if (steps() > request_.max_steps) run_out_of_steps();
  }
}

bool Search::propagate() {
  do {
    if (const auto failed = engine_.propagate()) {
      contradiction_ = *failed;
      return false;
    }
    for (const Engine::Clash& clash : engine_.take_clashes()) {
      note_clash(clash.affected, clash.others);
      if (clash.decisions) note_pair(clash.decisions->first, clash.decisions->second);
    }
  } while (swap_order());  // then the state is another, and what follows from it is to be found first
  return true;
}

uint32_t Search::best_version(PackageId base) const {
  const PackageInfo& info = universe_.info(base);
  const VersionSet& allowed = engine_.allowed(base);
  for (const VersionSet& tier : info.tiers) {
    const uint32_t found = info.lowest_first ? allowed.last_common(tier) : allowed.first_common(tier);
    if (found < allowed.bits()) return found;
  }
  return allowed.next(0);
}

void Search::decide(PackageId p) {
  if (universe_.info(p).base == p) {
    take(p, best_version(p));
  } else {
    decide_extra(p);
  }
}

// An extra follows its package: first the package's versions are narrowed to those the extra may have, then the package
// is decided, then the extra takes the same version.
void Search::decide_extra(PackageId p) {
  const PackageId base = universe_.info(p).base;
  const VersionSet& allowed = engine_.allowed(p);
  const auto decided = engine_.decision(base);
  if (!engine_.allowed(base).subset_of(allowed)) {
    universe_.tie_to_base(p, VersionSet(allowed));
  } else if (decided) {
    take(p, *decided);
  } else {
    take(base, best_version(base));
  }
}

void Search::take(PackageId p, uint32_t ordinal) {
  ++decisions_;
  deciding_ = p;
  PackageInfo& info = universe_.info(p);
  if (info.base == p) {
    if (swap_before_sdist(p, ordinal)) return;
    guard_sdists(p, ordinal);
    ++info.tried;
    prefetch_more(p, ordinal);
  }
  universe_.expand(p, ordinal);
  if (universe_.must_restart()) return;
  // A version that cannot be is ruled out where we stand: deciding it would make us jump back further than needed.
  const auto clash = engine_.clash(p, ordinal);
  if (!clash) {
    engine_.decide(p, ordinal);
    return;
  }
  engine_.look_again(*clash);
  std::vector<PackageId> others, culprits;
  for (const Term& term : engine_.incompatibility(*clash).terms) {
    if (term.package == p) continue;
    others.push_back(term.package);
    const auto culprit = engine_.blame(term.package, term.set.complement());
    if (culprit) note_pair(p, *culprit);
    if (engine_.decision(term.package)) culprits.push_back(universe_.info(term.package).base);
    if (culprit) culprits.push_back(universe_.info(*culprit).base);
  }
  note_clash(p, others);
  if (trouble(info.base).hindered % kClashesBeforeSwap == 0) reorder(info.base, culprits);
}

// The metadata of an sdist may cost a build: before it is read for the sake of packages that were decided earlier,
// these are questioned, whatever the count.
bool Search::swap_before_sdist(PackageId base, uint32_t ordinal) {
  const PackageInfo& info = universe_.info(base);
  if (!info.candidates[ordinal].sdist_only || info.needs[ordinal]) return false;
  Trouble& own = trouble(base);
  if (own.swapped || own.culprits.empty()) return false;
  own.swapped = true;
  hasten(base);
  const std::vector<PackageId> culprits = own.culprits;
  bool moved = false;
  for (const PackageId culprit : culprits) moved = make_late(culprit) || moved;
  return moved;
}

void Search::guard_sdists(PackageId base, uint32_t ordinal) {
  PackageInfo& info = universe_.info(base);
  if (!info.candidates[ordinal].sdist_only || info.needs[ordinal]) return;
  const uint32_t tried = info.expanded.count();
  if (info.tried_sdists >= kMostSdistsOfOnePackage ||
      (tried >= kTriedBeforeSdists && !trouble(base).culprits.empty())) {
    give_up(base, fmt::format("none of the {} versions of `{}` tried so far fits", tried, info.name),
            "older ones are sdists, whose metadata may have to be built");
  }
  ++info.tried_sdists;
}

// The first choice of each package that has just become known. An sdist's metadata may cost a build: only when
// somebody thought about how old the package may be.
void Search::prefetch_likely(const std::vector<PackageId>& packages) {
  for (const PackageId p : packages) {
    const PackageInfo& info = universe_.info(p);
    if (info.base != p || !info.loaded || !engine_.required(p)) continue;
    const uint32_t ordinal = best_version(p);
    if (ordinal >= info.candidates.size() || info.needs[ordinal]) continue;
    const bool open_below = engine_.allowed(p).test(static_cast<uint32_t>(info.candidates.size() - 1));
    if (info.candidates[ordinal].sdist_only && open_below && info.candidates.size() > 1) continue;
    provider_.prefetch_metadata(info.name, info.candidates[ordinal].version);
  }
}

// After 5, 10 and 20 versions, then every 20: first those still possible, then simply the next lower ones, which is
// what packages released in lockstep (boto3, botocore) are going to ask for.
void Search::prefetch_more(PackageId p, uint32_t ordinal) {
  const PackageInfo& info = universe_.info(p);
  const uint32_t tried = info.tried;
  if (tried < kTriedBeforePrefetch || tried % kTriedBeforePrefetch != 0) return;
  if (tried > 2 * kTriedBeforePrefetch && tried % (4 * kTriedBeforePrefetch) != 0) return;
  uint32_t left = std::min(tried * 2, kMostPrefetched);
  const auto offer = [&](uint32_t v) {
    if (info.needs[v] || info.candidates[v].sdist_only) return;
    provider_.prefetch_metadata(info.name, info.candidates[v].version);
    --left;
  };
  const auto count = static_cast<uint32_t>(info.from_index);
  const VersionSet& allowed = engine_.allowed(p);
  for (uint32_t v = allowed.next(ordinal + 1); v < count && left > 0; v = allowed.next(v + 1)) offer(v);
  for (uint32_t v = ordinal + 1; v < count && left > 0; ++v) {
    if (!allowed.test(v)) offer(v);
  }
}

Search::Trouble& Search::trouble(PackageId base) {
  if (troubles_.size() < universe_.size()) troubles_.resize(universe_.size());
  return troubles_[base];
}

// Counts as uv does: the packages of the conflict hinder, the one being decided is hindered.
void Search::note_clash(PackageId affected, const std::vector<PackageId>& others) {
  const PackageId hindered = universe_.info(deciding_).base;
  bool real = false;
  for (const PackageId other : others) {
    const PackageId base = universe_.info(other).base;
    if (base == universe_.info(affected).base) continue;
    if (!real) trouble(hindered).culprits.clear();
    real = true;
    if (base != hindered) trouble(hindered).culprits.push_back(base);
    if (++trouble(base).hindering == kClashesBeforeSwap) to_postpone_.push_back(base);
  }
  if (real && ++trouble(hindered).hindered == kClashesBeforeSwap) to_hasten_.push_back(hindered);
}

void Search::note_pair(PackageId later, PackageId earlier) {
  const PackageId a = universe_.info(later).base;
  const PackageId b = universe_.info(earlier).base;
  if (a != b) ++pairs_[{a, b}];
}

// After some clashes of one package with what was decided before it, the two change places: else all versions of the
// one would be walked through before the other is questioned.
bool Search::swap_order() {
  for (const PackageId base : std::exchange(to_hasten_, {})) hasten(base);
  bool moved = false;
  for (const PackageId base : std::exchange(to_postpone_, {})) moved = make_late(base) || moved;
  return moved;
}

void Search::hasten(PackageId base) {
  queue_.set_urgency(base, Urgency::hindered);
  hastened_.push_back(base);
}

// The package clashes on and on: what it clashes with is decided again after it, and after all that leads to it: boto3
// and botocore go from version to version together, and hastening the one alone changes nothing. Each time somebody
// is hastened who was not before, so that this comes to an end.
void Search::reorder(PackageId base, const std::vector<PackageId>& culprits) {
  for (const PackageId culprit : culprits) {
    if (culprit == base || !engine_.decision(culprit) || queue_.urgency(culprit) == Urgency::hindered) continue;
    const bool first = queue_.urgency(base) != Urgency::hindered;
    if (!hasten_way_to(base, engine_.decision_level(culprit)) && !first) continue;
    if (first) hasten(base);
    queue_.set_urgency(culprit, Urgency::hindering);
    engine_.undo_decision(culprit);
  }
}

// A hastened package that is only there because of one decided after the culprit comes too late again, unless that one
// comes early too.
bool Search::hasten_way_to(PackageId base, uint32_t level) {
  bool changed = false;
  std::optional<PackageId> at = base;
  for (int i = 0; i < kLongestWay && (at = engine_.dependent(*at)); ++i) {
    if (engine_.decision_level(*at) <= level) break;
    const PackageId dependent = universe_.info(*at).base;
    if (queue_.urgency(dependent) == Urgency::hindered) continue;
    queue_.set_urgency(dependent, Urgency::hindered);
    changed = true;
  }
  return changed;
}

bool Search::make_late(PackageId base) {
  const Urgency now = queue_.urgency(base);
  if (now == Urgency::hindered || now == Urgency::hindering) return false;  // once each, else they seesaw
  queue_.set_urgency(base, Urgency::hindering);
  if (!engine_.decision(base)) return false;
  for (const PackageId hindered : hastened_) hasten_way_to(hindered, engine_.decision_level(base));
  engine_.undo_decision(base);
  return true;
}

void Search::give_up(PackageId walked, const std::string& message, const std::string& cause) const {
  Error error(ErrorKind::failed, message);
  const PackageInfo& info = universe_.info(walked);
  int64_t most = 0;
  PackageId other = walked;
  for (const auto& [pair, count] : pairs_) {
    if (pair.first != walked || pair.second == walked || count <= most) continue;
    most = count;
    other = pair.second;
  }
  std::string lowest;
  for (uint32_t v = 0; v < info.from_index; ++v) {
    if (info.needs[v]) lowest = info.candidates[v].version.text();
  }
  if (lowest.empty()) lowest = "…";
  std::string clash = most == 0 ? "do not go together" : fmt::format("clashed {} times", most);
  if (other == walked) other = refused_by(engine_, universe_, walked).value_or(walked);
  const std::string unusable = why_unusable(universe_, walked);
  std::string why =
      fmt::format("{}; {}{}{}", asked_now(engine_, universe_, walked), unusable, unusable.empty() ? "" : "; ", cause);
  if (other != walked) {
    why = fmt::format("`{}` and `{}` {} ({}; {}); {}", info.name, universe_.info(other).name, clash,
                      asked_now(engine_, universe_, walked), asked_now(engine_, universe_, other), cause);
  }
  throw error.because(why).with_hint(
      fmt::format("say how old it may be, as in `{}>={}`, or relax what limits it", info.name, lowest));
}

void Search::run_out_of_steps() const {
  const auto worst =
      std::max_element(pairs_.begin(), pairs_.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  Error error(ErrorKind::failed, fmt::format("no answer after {} steps", steps()));
  if (worst == pairs_.end()) throw error;
  const std::string later = universe_.label(worst->first.first);
  const std::string earlier = universe_.label(worst->first.second);
  const auto& [pair, count] = *worst;
  const PackageInfo& newest = universe_.base_of(pair.first);
  const std::string bound = newest.candidates.empty() ? "…" : newest.candidates.front().version.text();
  throw error
      .because(fmt::format("`{}` and `{}` clashed {} times ({}; {})", later, earlier, count,
                           asked_now(engine_, universe_, pair.first), asked_now(engine_, universe_, pair.second)))
      .with_hint(fmt::format("narrow one of them down, say `{}>={}`", newest.name, bound));
}

}  // namespace dae::resolver
