#pragma once
// From an app's requirements to its lock: solve for each target, merge, fill in files. The heart of `dae install`.
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "resolver/lock/lock.h"
#include "resolver/lock/project.h"
#include "resolver/source/index.h"

namespace dae::resolver {

struct LockRequest {
  std::vector<RootRequirement> requirements;
  std::vector<RootRequirement> constraints, overrides;
  // The requirements above include those of extras and groups (told by their scope); these are all that are declared.
  std::vector<std::string> extras, groups, default_groups;
  Selection selection = Selection::highest;
  PrereleaseMode prereleases = PrereleaseMode::if_necessary;
  std::string cutoff;                       // RFC 3339: nothing uploaded later; "" = none. Recorded in the lock.
  std::map<std::string, Version> imported;  // pins of another tool's lock: preferences where `previous` has none
  std::string requires_python;
  std::vector<Target> targets;
  std::vector<std::string> index_urls;  // recorded per package, in what the lock says
  std::optional<Lock> previous;         // pins become preferences
  std::vector<std::string> upgrade;     // names whose pins are forgotten; "*": all
};

struct LockOutcome {
  Lock lock;
  Resolution resolution;  // of the first target, for messages and trees
};

// sha256 over everything that decides the lock (requirements, pythons, targets): equal to lock.input_digest = no-op.
std::string lock_input_digest(const LockRequest& request);
// NoSolution names the target it failed for in its first line.
std::variant<LockOutcome, NoSolution> make_lock(const LockRequest& request, IndexClient& client);

}  // namespace dae::resolver
