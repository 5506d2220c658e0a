#pragma once
// What mirror.yaml says about whom an index serves what: plain data. Keys: share/doc/formats/mirror-yaml.md, "Policy"
// and "Overlays".
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"

namespace dae::mirror {

// Of an index that holds documents.
struct PolicyRules {
  int64_t cooldown_uploaded_ms = 0;    // 0: none
  int64_t cooldown_first_seen_ms = 0;  // 0: none
  std::vector<std::string> exempt;     // project globs that cool-downs pass over
  std::vector<Path> deny_osv;          // OSV documents, or folders or zips of them
  // Besides malware, advisories rated so or worse are denied: "low" … "critical". Empty: malware alone.
  std::string deny_severity;

  bool has_cooldown() const { return cooldown_uploaded_ms > 0 || cooldown_first_seen_ms > 0; }
  bool has_deny_list() const { return !deny_osv.empty(); }
};

// Of a virtual index over others.
struct OverlayRules {
  std::vector<std::string> members;  // names of indexes; the first that has a project serves it
  std::vector<std::string> claims;   // project globs that no upstream is ever asked for
  std::vector<std::string> merge;    // project globs whose files are those of all members together

  bool is_overlay() const { return !members.empty(); }
};

}  // namespace dae::mirror
