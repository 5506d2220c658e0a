#include "resolver/solver/decision_queue.h"

#include <bit>

namespace dae::resolver {

std::optional<PackageId> DecisionQueue::next() {
  if (urgency_.size() < universe_.size()) {
    urgency_.resize(universe_.size(), Urgency::normal);
    for (auto& bits : waiting_) bits.resize(universe_.size() / 64 + 1);
  }
  for (const PackageId p : engine_.changed()) refresh(universe_.info(p).base);
  engine_.forget_changed();
  for (const auto& bits : waiting_) {
    for (size_t word = 0; word < bits.size(); ++word) {
      if (bits[word] == 0) continue;
      const auto base = static_cast<PackageId>(word * 64 + static_cast<size_t>(std::countr_zero(bits[word])));
      return open_package(base);
    }
  }
  return std::nullopt;
}

std::optional<PackageId> DecisionQueue::open_package(PackageId base) const {
  if (is_open(base)) return base;
  for (const PackageId extra : universe_.info(base).extras) {
    if (is_open(extra)) return extra;
  }
  return std::nullopt;
}

void DecisionQueue::refresh(PackageId base) {
  const size_t word = base / 64;
  const uint64_t bit = uint64_t{1} << (base % 64);
  for (auto& bits : waiting_) bits[word] &= ~bit;
  const auto open = open_package(base);
  if (!open) return;
  const PackageInfo& info = universe_.info(base);
  const VersionSet& allowed = engine_.allowed(base);
  Urgency urgency = urgency_[base];
  // No choice is left. An sdist that nobody has read is no such case: it may cost a build, and need not be reached.
  if (allowed.is_single()) {
    const uint32_t only = allowed.next(0);
    const bool costly = only < info.candidates.size() && info.candidates[only].sdist_only && !info.needs[only];
    if (!costly) urgency = Urgency::forced;
  }
  waiting_[static_cast<size_t>(urgency)][word] |= bit;
}

void DecisionQueue::set_urgency(PackageId base, Urgency urgency) {
  if (urgency_.size() < universe_.size()) urgency_.resize(universe_.size(), Urgency::normal);
  urgency_[base] = urgency;
  for (auto& bits : waiting_) bits.resize(universe_.size() / 64 + 1);
  refresh(base);
}

}  // namespace dae::resolver
