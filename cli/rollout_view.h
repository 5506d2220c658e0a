#pragma once
// How a rollout looks to people: the plan, the live progress, the outcome.
#include "cli/context.h"
#include "deployer/control.h"

namespace dae::cli {

// Prints what changes until the rollout is final; ctrl-c leaves it running. Returns the exit code of the outcome:
// 0 done, 3 rolled back, 1 failed, 4 still going on (interrupted or waiting for a person).
int follow_rollout(Context& context, deployer::ControlClient& control, deployer::Rollout rollout);
std::string render_plan(const deployer::Rollout& rollout);

}  // namespace dae::cli
