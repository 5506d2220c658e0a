#pragma once
// Where the code of strangers runs: bubblewrap with namespaces of its own, no network, everything read-only but the
// build's work folder. Without it a build runs like any program, and that is said.
#include <mutex>
#include <string>
#include <vector>

#include "base/events.h"
#include "base/process.h"

namespace dae::resolver {

struct BuildSettings {
  enum class Sandbox { automatic, require, off };
  Sandbox sandbox = Sandbox::automatic;
  int64_t timeout_ms = 60 * 60 * 1000;  // of one call of a back end
  std::vector<std::string> pass_env;    // variables that builds see beside the usual ones
};

// Places that a build needs. Home, temporary folders and /run are hidden from it unless they are named here.
struct SandboxPlaces {
  std::vector<Path> readable, writable;
  Path home;  // $HOME inside; below a writable place
};

// Thread-safe. One per process is enough: what works is tried once.
class BuildSandbox {
 public:
  explicit BuildSandbox(BuildSettings settings = {}) : settings_(std::move(settings)) {}
  const BuildSettings& settings() const { return settings_; }
  // Whether builds are shut in. Warns once when they should be and cannot; Error refused when they have to be.
  bool active(ProcessRunner& runner, EventSink& events);
  // The same call inside; the environment stays as it is in `spec`.
  ProcessSpec enclosed(ProcessSpec spec, const SandboxPlaces& places) const;

 private:
  const BuildSettings settings_;
  std::once_flag tried_;
  std::string program_, why_not_;
};

// The variables a build is given: compilers and their flags, locale, PATH; no credentials, nothing of Python's.
std::map<std::string, std::string> build_variables(const BuildSettings& settings);

}  // namespace dae::resolver
