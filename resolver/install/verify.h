#pragma once
// Is an environment still what was installed in it? Every file against its RECORD; nothing is changed.
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/events.h"
#include "resolver/install/env_layout.h"
#include "resolver/install/environment.h"

namespace dae::resolver {

struct VerifyFinding {
  enum class Kind {
    changed,         // other bytes than RECORD says
    missing,         // listed, and not there
    unlisted,        // in site-packages, and in no RECORD
    broken_script,   // the interpreter it names is not there
    broken_link,     // leads nowhere
    not_executable,  // a script or program in bin/ that cannot be started
    bad_record,      // RECORD is lost or cannot be read
  };
  Kind kind = Kind::changed;
  std::string distribution;  // normalised; "" for what belongs to none
  std::string path;          // relative to the environment
  std::string detail;        // "" or what more there is to say
  bool foreign = false;      // of a distribution that dae did not install
};
std::string_view finding_name(VerifyFinding::Kind kind);  // "changed", "not-executable", …

struct VerifyReport {
  std::vector<VerifyFinding> findings;  // ours first; by distribution and path
  size_t distributions = 0, foreign = 0, files = 0;
  uint64_t bytes = 0;                  // that were hashed
  std::vector<std::string> unchecked;  // foreign ones without a RECORD
  std::set<std::string> damaged;       // distributions of ours that installing anew mends
  // Entries of the store that hold the damage themselves (a hard-linked file edited in place, a file behind a link).
  std::set<Path> damaged_entries;
  std::set<Path> lost_records;       // of ours: cannot be read, so that removing by them would fail
  bool damaged_environment = false;  // pyvenv.cfg or bin/python
  bool sound() const { return findings.empty(); }
};

struct VerifyOptions {
  bool hashes = true;  // false: existence, sizes, modes, links and scripts only
};
// Throws not_found when `env` is no environment.
VerifyReport verify_environment(const Path& env, const StorePaths& store, EventSink& events,
                                const VerifyOptions& options = {});

// Installs these anew: wheels of damaged distributions, which are in the blob store.
InstallPlan repair_plan(const VerifyReport& report, std::vector<WheelToInstall> wheels);
// What would be in the way of such a plan: records that cannot be read, and damaged entries of the store, which are
// made anew from their wheels. Waits for running installations. The wheels should be at hand.
void remove_damage(const VerifyReport& report, const StorePaths& store);

// The layout of an environment that is there, whoever made it: by the folder of its packages.
// Throws not_found when there is none.
EnvLayout layout_of(const Path& env);

}  // namespace dae::resolver
