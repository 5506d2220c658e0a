#pragma once
// `build.steps` run in a copy of the source files: what git ignores does not leak in, what the steps make gets in, and
// the work tree stays as it is. Private to builder/.
#include "base/events.h"
#include "base/process.h"
#include "builder/build.h"

namespace dae::builder {

// Copies plan.files to `copy` (exists, empty) and runs the steps there. Throws Error failed with the step's last lines.
void run_build_steps(const AppFile& app, const BuildPlan& plan, const Path& copy, ProcessRunner& runner,
                     EventSink& events);

}  // namespace dae::builder
