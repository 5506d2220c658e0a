#include "resolver/solver/engine.h"

#include <algorithm>

namespace dae::resolver {

const Term* Incompatibility::term(PackageId package) const {
  for (const Term& t : terms) {
    if (t.package == package) return &t;
  }
  return nullptr;
}

PackageId Engine::add_package(uint32_t candidates) {
  Package package;
  package.full = VersionSet::full(candidates + 1);
  packages_.push_back(std::move(package));
  return static_cast<PackageId>(packages_.size() - 1);
}

const VersionSet& Engine::allowed(PackageId p) const {
  const Package& package = packages_[p];
  return package.history.empty() ? package.full : trail_[package.history.back()].allowed;
}

IncompatibilityId Engine::add(std::vector<Term> terms, uint32_t fact) {
  Incompatibility made;
  made.fact = fact;
  std::stable_sort(terms.begin(), terms.end(), [](const Term& a, const Term& b) { return a.package < b.package; });
  for (Term& term : terms) {
    if (!made.terms.empty() && made.terms.back().package == term.package) {
      made.terms.back().set &= term.set;
    } else {
      made.terms.push_back(std::move(term));
    }
  }
  std::erase_if(made.terms, [](const Term& t) { return t.set.is_full(); });
  const IncompatibilityId id = store(std::move(made), true);
  look_again(id);
  return id;
}

// Steps in the middle of a conflict resolution are kept for the explanation only: `in_use` = false.
IncompatibilityId Engine::store(Incompatibility incompatibility, bool in_use) {
  const auto id = static_cast<IncompatibilityId>(incompatibilities_.size());
  if (incompatibility.terms.empty()) contradiction_ = id;
  if (in_use) {
    for (const Term& t : incompatibility.terms) packages_[t.package].mentioned_in.push_back(id);
  }
  incompatibilities_.push_back(std::move(incompatibility));
  contradicted_.push_back(0);
  return id;
}

// Widening a term keeps every earlier derivation valid: what was concluded from the smaller fact follows from the
// larger.
void Engine::widen(IncompatibilityId id, PackageId p, uint32_t ordinal) {
  for (Term& t : incompatibilities_[id].terms) {
    if (t.package == p) t.set.insert(ordinal);
  }
  contradicted_[id] = 0;
  look_again(id);
}

void Engine::touch(PackageId p) {
  if (packages_[p].queued) return;
  packages_[p].queued = true;
  queue_.push_back(p);
}

Engine::Relation Engine::relation(IncompatibilityId id, PackageId* open_package) const {
  bool one_open = false;
  for (const Term& term : incompatibilities_[id].terms) {
    const VersionSet::Comparison found = allowed(term.package).compare(term.set);
    if (found.subset) continue;
    if (found.disjoint) return Relation::contradicted;
    if (one_open) return Relation::open;
    one_open = true;
    *open_package = term.package;
  }
  return one_open ? Relation::almost : Relation::satisfied;
}

void Engine::mark_contradicted(IncompatibilityId id) {
  contradicted_[id] = 1;
  contradicted_trail_.emplace_back(id, static_cast<uint32_t>(decided_.size()));
}

void Engine::assign(PackageId p, VersionSet allowed, IncompatibilityId cause, bool is_decision) {
  packages_[p].history.push_back(static_cast<uint32_t>(trail_.size()));
  trail_.push_back({p, static_cast<uint32_t>(decided_.size()), is_decision, cause, std::move(allowed)});
  touch(p);
  note_change(p);
}

void Engine::note_change(PackageId p) {
  if (packages_[p].changed) return;
  packages_[p].changed = true;
  changed_.push_back(p);
}

void Engine::forget_changed() {
  for (const PackageId p : changed_) packages_[p].changed = false;
  changed_.clear();
}

void Engine::decide(PackageId p, uint32_t ordinal) {
  decided_.push_back(p);
  packages_[p].decision = ordinal;
  assign(p, VersionSet::single(bits(p), ordinal), 0, true);
}

void Engine::derive(PackageId p, IncompatibilityId cause) {
  VersionSet next = allowed(p);
  next.remove(incompatibilities_[cause].term(p)->set);
  assign(p, std::move(next), cause, false);
}

std::optional<IncompatibilityId> Engine::propagate() {
  while (!contradiction_) {
    if (!fresh_.empty()) {
      const IncompatibilityId id = fresh_.back();
      fresh_.pop_back();
      check(id);
    } else if (!queue_.empty()) {
      const PackageId p = queue_.back();
      queue_.pop_back();
      packages_[p].queued = false;
      scan(p);
    } else {
      break;
    }
  }
  return contradiction_;
}

// Newest first: what was learned last is likeliest to say something about the present state.
void Engine::scan(PackageId p) {
  for (size_t i = packages_[p].mentioned_in.size(); i-- > 0;) {
    const IncompatibilityId id = packages_[p].mentioned_in[i];
    if (contradicted_[id] != 0 || check(id)) continue;
    touch(p);
    return;
  }
}

bool Engine::check(IncompatibilityId id) {
  PackageId open_package = 0;
  switch (relation(id, &open_package)) {
    case Relation::open:
      return true;
    case Relation::almost:
      derive(open_package, id);
      [[fallthrough]];
    case Relation::contradicted:
      mark_contradicted(id);
      return true;
    case Relation::satisfied:
      look_again(id);
      resolve_conflict(id);
      return false;
  }
  return true;
}

// Index of the first assignment from which on the term holds. Sets only shrink along a history: binary search.
uint32_t Engine::satisfier(const Term& term) const {
  const auto& history = packages_[term.package].history;
  const auto found = std::partition_point(history.begin(), history.end(),
                                          [&](uint32_t index) { return !trail_[index].allowed.subset_of(term.set); });
  return *found;
}

// The level at which the conflict would still have been one assignment short of holding.
uint32_t Engine::earlier_level(const Incompatibility& conflict, uint32_t last) const {
  uint32_t level = 0;
  const Assignment& done = trail_[last];
  for (const Term& term : conflict.terms) {
    if (term.package != done.package) {
      level = std::max(level, trail_[satisfier(term)].level);
      continue;
    }
    if (done.is_decision) continue;
    // The last assignment took away what its cause states. If the term needed more than that, find from where on an
    // earlier assignment together with it makes the term hold.
    const VersionSet& taken = incompatibilities_[done.cause].term(done.package)->set;
    const auto& history = packages_[term.package].history;
    const auto helped = [&](uint32_t index) { return trail_[index].allowed.subset_of_union(term.set, taken); };
    if (packages_[term.package].full.subset_of_union(term.set, taken)) continue;
    const auto first = std::partition_point(history.begin(), history.end(), [&](uint32_t i) { return !helped(i); });
    if (first != history.end() && *first < last) level = std::max(level, trail_[*first].level);
  }
  return level;
}

std::vector<Term> Engine::resolve(const Incompatibility& a, const Incompatibility& b, PackageId pivot) const {
  std::vector<Term> out;
  auto left = a.terms.begin();
  auto right = b.terms.begin();
  while (left != a.terms.end() || right != b.terms.end()) {
    if (right == b.terms.end() || (left != a.terms.end() && left->package < right->package)) {
      out.push_back(*left++);
    } else if (left == a.terms.end() || right->package < left->package) {
      out.push_back(*right++);
    } else {
      Term both = *left++;
      if (both.package == pivot) {
        both.set |= right->set;
      } else {
        both.set &= right->set;
      }
      ++right;
      if (!both.set.is_full()) out.push_back(std::move(both));
    }
  }
  return out;
}

Engine::Clash& Engine::note_clash(const Incompatibility& conflict, PackageId affected) {
  Clash& clash = clashes_.emplace_back(Clash{affected, {}});
  for (const Term& term : conflict.terms) {
    if (term.package != affected) clash.others.push_back(term.package);
  }
  return clash;
}

void Engine::resolve_conflict(IncompatibilityId id) {
  ++conflicts_;
  Incompatibility conflict = incompatibilities_[id];
  bool is_new = false;
  while (!conflict.terms.empty()) {
    uint32_t last = 0;
    for (const Term& term : conflict.terms) last = std::max(last, satisfier(term));
    const Assignment& done = trail_[last];
    const uint32_t earlier = earlier_level(conflict, last);
    if (done.level == 0 || (!done.is_decision && earlier == done.level)) {
      Incompatibility next;
      next.terms = resolve(conflict, incompatibilities_[done.cause], done.package);
      next.left = is_new ? store(std::move(conflict), false) : id;
      next.right = done.cause;
      conflict = std::move(next);
      note_clash(conflict, done.package);
      is_new = true;
      continue;
    }
    Clash& clash = note_clash(conflict, done.package);
    if (earlier > 0) clash.decisions = {decided_[done.level - 1], decided_[earlier - 1]};
    backtrack(earlier);
    if (is_new) look_again(store(std::move(conflict), true));
    return;
  }
  if (is_new) store(std::move(conflict), true);
}

void Engine::backtrack(uint32_t level) {
  while (!trail_.empty() && trail_.back().level > level) {
    Package& package = packages_[trail_.back().package];
    note_change(trail_.back().package);
    if (trail_.back().is_decision) package.decision.reset();
    package.history.pop_back();
    trail_.pop_back();
  }
  decided_.resize(std::min<size_t>(decided_.size(), level));
  while (!contradicted_trail_.empty() && contradicted_trail_.back().second > level) {
    contradicted_[contradicted_trail_.back().first] = 0;
    contradicted_trail_.pop_back();
  }
  size_t first = late_.size();
  while (first > 0 && late_[first - 1].level > level) --first;
  size_t kept = first;
  for (size_t i = first; i < late_.size(); ++i) {
    if (!packages_[late_[i].decided].decision) continue;
    look_again(late_[i].id);
    late_[kept++] = {late_[i].id, late_[i].decided, level};
  }
  late_.resize(kept);
}

void Engine::mark_late(IncompatibilityId id, PackageId decided) {
  late_.push_back({id, decided, static_cast<uint32_t>(decided_.size())});
}

// What was looked at before would have ruled the version out already: only what is new can.
std::optional<IncompatibilityId> Engine::clash(PackageId p, uint32_t ordinal) const {
  for (const IncompatibilityId id : fresh_) {
    bool holds = false;
    for (const Term& term : incompatibilities_[id].terms) {
      holds = term.package == p ? term.set.test(ordinal) : allowed(term.package).subset_of(term.set);
      if (!holds) break;
    }
    if (holds) return id;
  }
  return std::nullopt;
}

std::optional<PackageId> Engine::blame(PackageId p, const VersionSet& set) const {
  for (const uint32_t index : packages_[p].history) {
    if (!trail_[index].allowed.disjoint(set)) continue;
    const uint32_t level = trail_[index].level;
    return level == 0 ? std::nullopt : std::optional(decided_[level - 1]);
  }
  return std::nullopt;
}

std::optional<PackageId> Engine::dependent(PackageId p) const {
  for (const uint32_t index : packages_[p].history) {
    const Assignment& assignment = trail_[index];
    if (assignment.allowed.test(absent(p))) continue;
    if (assignment.is_decision || assignment.level == 0) return std::nullopt;
    for (const Term& term : incompatibilities_[assignment.cause].terms) {
      if (term.package != p && packages_[term.package].decision) return term.package;
    }
    return std::nullopt;
  }
  return std::nullopt;
}

uint32_t Engine::decision_level(PackageId p) const {
  return packages_[p].decision ? trail_[packages_[p].history.back()].level : 0;
}

void Engine::undo_decision(PackageId p) {
  if (packages_[p].decision) backtrack(decision_level(p) - 1);
}

}  // namespace dae::resolver
