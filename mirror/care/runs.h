#pragma once
// What the long works of a mirror (sync, verify, gc) did and when: rows of the catalog's table `runs`.
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/value.h"
#include "mirror/catalog.h"

namespace dae::mirror {

struct RunRow {
  std::string kind;   // "sync", "verify", "gc"
  std::string index;  // "" for all of the storage
  int64_t started_ms = 0;
  std::optional<int64_t> ended_ms;  // nullopt: it is running, or was killed
  std::string result;               // "done", "failed: …", "interrupted"
  Value counts;                     // what it did, by name
};

// One run from start to end; destroyed without finish() it has failed. The last 100 of a kind and index are kept.
class Run {
 public:
  Run(Catalog& catalog, const Clock& clock, const std::string& kind, const std::string& index = "");
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  void finish(const std::string& result, const Value& counts);

 private:
  Catalog& catalog_;
  const Clock& clock_;
  int64_t id_ = 0;
  bool finished_ = false;
};

// The latest of each kind and index, in that order.
std::vector<RunRow> last_runs(Catalog& catalog);

}  // namespace dae::mirror
