#pragma once
// From an app's requirements to its lock: solve for each target, merge, fill in files. The heart of `dae install`.
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "resolver/lock/lock.h"
#include "resolver/lock/lock_cutoff.h"
#include "resolver/lock/project.h"
#include "resolver/source/direct.h"
#include "resolver/source/index.h"

namespace dae::resolver {

struct LockRequest {
  std::vector<RootRequirement> requirements;
  std::vector<RootRequirement> constraints, overrides;
  // The requirements above include those of extras and groups (told by their scope); these are all that are declared.
  std::vector<std::string> extras, groups, default_groups;
  Selection selection = Selection::highest;
  PrereleaseMode prereleases = PrereleaseMode::if_necessary;
  // Nothing uploaded later: RFC 3339 as cutoff_from() makes it; "" = none. Recorded in the lock.
  std::string cutoff;
  // The same as the user wrote it ("7 days"): this is what the digest takes, as the moment moves on. "": `cutoff`.
  std::string exclude_newer;
  std::map<std::string, Version> imported;  // pins of another tool's lock: preferences where `previous` has none
  std::string requires_python;
  std::vector<Target> targets;
  std::vector<std::string> index_urls;              // recorded for packages of which the client does not know the index
  std::vector<std::string> index_rules;             // see index_rules(): part of the digest, nothing else
  std::vector<std::string> no_binary, only_binary;  // names, or ":all:"
  std::optional<Lock> previous;                     // pins become preferences
  std::vector<std::string> upgrade;                 // names whose pins are forgotten; "*": all
};

struct LockOutcome {
  Lock lock;
  Resolution resolution;  // of the first target, for messages and trees
};

// What a lock is made from beside an index. `direct` brings repositories, folders and addresses here; without it only
// wheels and sdists at http addresses can be required directly.
struct LockSources {
  DirectSources* direct = nullptr;
  EventSink* events = nullptr;
};

// What a project says about where its packages come from, for the digest: another index may mean another lock. What
// only this machine says (a mirror, pip's configuration) is no part of it.
std::vector<std::string> index_rules(const ProjectSettings& settings);

// sha256 over everything that decides the lock (requirements, scopes, policies, targets): equal to lock.input_digest =
// no-op.
std::string lock_input_digest(const LockRequest& request);
// NoSolution names the target it failed for in its first line. Each target is checked to be installable from the lock
// before it is returned: Error names the package and the target otherwise.
std::variant<LockOutcome, NoSolution> make_lock(const LockRequest& request, IndexClient& client,
                                                LockSources sources = {});

}  // namespace dae::resolver
