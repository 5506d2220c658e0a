// The part of TreePublisher that keeps lists of projects. One change makes a whole list another: a long one is taken
// away at once, and written again when that costs little in comparison.
#include <algorithm>

#include "mirror/tree/publisher.h"

namespace dae::mirror {
namespace {

constexpr int64_t kCostFactor = 50, kCheapMs = 20;

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// A private index takes names away from those beside it in an overlay.
bool depends_on(const TreeSource& source, const std::string& list, const std::string& holder) {
  const Overlays& overlays = source.policies.overlays();
  const std::vector<std::string> members = overlays.members(list);
  if (has(members, holder)) return true;
  if (!source.indexes.at(holder)->pages_frozen()) return false;
  return std::ranges::any_of(source.policies.indexes(), [&](const std::string& overlay) {
    const std::vector<std::string> beside = overlays.members(overlay);
    return has(beside, holder) &&
           std::ranges::any_of(members, [&](const std::string& member) { return has(beside, member); });
  });
}

}  // namespace

void TreePublisher::plan_lists() {
  for (const std::string& index : source_.policies.indexes()) {
    if (!has_settled_pages(source_, index)) continue;
    lists_[index] = {};
    for (const std::string& holder : holders_) {
      if (depends_on(source_, index, holder)) lists_by_holder_[holder].push_back(index);
    }
  }
}

void TreePublisher::lists_changed(const std::string& holder) {
  for (const std::string& index : lists_by_holder_[holder]) lists_.at(index).stale = true;
}

void TreePublisher::drop_list(const std::string& index, ListState* list) {
  if (!list->removed) files_.remove_list(index);
  list->removed = true;
}

// Only after the pages: who has seen a list finds no page that is older.
void TreePublisher::drop_stale_lists() {
  for (auto& [index, list] : lists_) {
    if (list.stale) drop_list(index, &list);
  }
}

void TreePublisher::write_lists() {
  for (auto& [index, list] : lists_) {
    if (!list.stale || stopping()) continue;
    const int64_t started_ms = clock_.monotonic_ms();
    if (list.cost_ms > kCheapMs) drop_list(index, &list);
    if (started_ms < list.not_before_ms) continue;
    files_.write_list(tree_list(source_, index));
    const int64_t ended_ms = clock_.monotonic_ms();
    list.stale = list.removed = false;
    list.cost_ms = ended_ms - started_ms;
    list.not_before_ms = list.cost_ms > kCheapMs ? ended_ms + kCostFactor * list.cost_ms : 0;
  }
}

}  // namespace dae::mirror
