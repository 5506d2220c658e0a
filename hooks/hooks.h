#pragma once
// Hook points and their runner. A hook is a command of app.yaml (`hooks: {before_build: [...]}`) or an executable in
// <app>/hooks/<point>.d/ (run in byte order of names). It gets DAE_APP, DAE_VERSION, DAE_DIGEST, DAE_REVISION,
// DAE_GROUP, DAE_NODE, DAE_STAGE, DAE_POINT and a JSON document on standard input, and has a time limit. A non-zero
// exit of a `before_*` hook stops what it precedes; others only warn.
#include <map>
#include <string>
#include <vector>

#include "base/events.h"
#include "base/process.h"
#include "base/value.h"

namespace dae::hooks {

const std::vector<std::string>& hook_points();

struct HookContext {
  std::string app, version, digest, revision, group, node, stage;
};

struct HookRequest {
  std::string point;
  Path app_dir;
  std::vector<std::string> commands;  // of app.yaml, POSIX quoting, no shell
  HookContext context;
  Value document;  // for standard input
  std::map<std::string, std::string> env;
  int64_t timeout_ms = 300'000;
};

// Throws Error refused when a before_* hook fails (message: which hook, exit code, last lines of its output).
void run_hooks(const HookRequest& request, ProcessRunner& runner, EventSink& events);

}  // namespace dae::hooks
