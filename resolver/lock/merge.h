#pragma once
// Merging two locks that grew from one: what a git merge driver needs.
#include <string>
#include <vector>

#include "resolver/lock/lock.h"

namespace dae::resolver {

struct LockMerge {
  Lock lock;
  // The pins of both were mixed: they may not go together, so the lock has no input digest and has to be made again,
  // with these pins as preferences. False when one side is the whole answer.
  bool needs_lock = false;
  std::vector<std::string> both_changed;  // names that both sides changed in different ways, sorted
};
// Package by package: what one side alone changed is taken from it; of two different changes the one with the higher
// version wins, ours when that does not tell. `base` may be an empty Lock: then everything was added by both.
LockMerge merge_locks(const Lock& base, const Lock& ours, const Lock& theirs);

}  // namespace dae::resolver
