#pragma once
// `dae mirror sync`: makes an index of mode `sync` what its upstream is now, as far as its rules take it. A process of
// its own beside the serving one: it writes the same catalog and blob store, and a lock for each index keeps a second
// sync of it away.
#include <functional>
#include <string>
#include <vector>

#include "base/events.h"
#include "mirror/mirror.h"
#include "mirror/sync/report.h"

namespace dae::mirror::sync {

struct SyncOptions {
  bool plan_only = false;
  bool all = false;              // look at every page, whatever the serials say
  bool accept_removals = false;  // even of most of what is kept
  bool list_projects = true;     // in the report; false: only counts
  bool flush = true;             // false: what was done may be lost in a power cut; for tests
  std::function<bool()> stop_requested;
  std::function<void(const char* step)> on_step;  // before every write; for tests that end the process there
};

// Throws Error refused when another sync of the index runs, or when the upstream suddenly lists next to nothing;
// network when its list cannot be had. What goes wrong with single projects is in the report.
SyncReport run_sync(const MirrorConfig& config, const IndexConfig& index, Transport& transport, ProcessRunner& runner,
                    Clock& clock, EventSink& events, const SyncOptions& options);

// What the rules do with each file that the upstream lists of a project.
struct Explanation {
  std::string index, project, upstream;
  bool listed_upstream = false, listed_here = false;
  std::string status;  // PEP 792
  struct File {
    std::string name, rule, detail;  // no rule: kept
    bool listed_here = false;
  };
  std::vector<File> files;
  std::string rule, detail;  // that dropped the whole project
};
Explanation explain_project(const MirrorConfig& config, const IndexConfig& index, const std::string& project,
                            Transport& transport, ProcessRunner& runner, Clock& clock);
Value to_value(const Explanation& explanation);
std::string render(const Explanation& explanation);

}  // namespace dae::mirror::sync
