#pragma once
// How long an answer may be used without asking again (RFC 9111, as a private cache).
#include <cstdint>

#include "base/http.h"

namespace dae::resolver {

// A page that says nothing at all about caching is taken to be fresh this long, as public indexes say of theirs.
inline constexpr int64_t kHeuristicFreshMs = 10 * 60 * 1000;

struct Freshness {
  bool may_store = true;
  int64_t fresh_until_ms = 0;    // wall time; in the past: ask again, with validators where there are any
  bool must_revalidate = false;  // stale, it is of no use even when the index cannot be reached
};
// `now_ms`: when the answer came. `heuristic_ms` counts only where the answer has neither a lifetime nor a validator.
Freshness freshness_of(const Headers& headers, int64_t now_ms, int64_t heuristic_ms);

}  // namespace dae::resolver
