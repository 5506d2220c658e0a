#pragma once
// A lock in which version control left its conflict markers ("<<<<<<<", "=======", ">>>>>>>", and "|||||||" of diff3).
#include <optional>
#include <string>
#include <string_view>

#include "resolver/lock/lock.h"

namespace dae::resolver {

struct ConflictSides {
  std::string ours, theirs;
  std::optional<std::string> base;  // when all conflicts say what was there before (diff3, zdiff3)
};
bool has_conflict_markers(std::string_view text);
// Throws Error bad_input with the line of a marker that has no counterpart.
ConflictSides split_conflicts(std::string_view text, const std::string& name);

// read_lock() for the one purpose of locking again: a lock with conflict markers gives the pins of both sides, merged
// as merge_locks() does, and no input digest, so that it answers nothing until it is locked. `mended` tells.
Lock read_previous_lock(const Path& path, bool* mended = nullptr);
Lock parse_previous_lock(std::string_view text, const std::string& name, bool* mended = nullptr);

}  // namespace dae::resolver
