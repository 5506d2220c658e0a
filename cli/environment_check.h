#pragma once
// `dae install --verify` and `--repair`: the environment against the RECORDs in it.
#include "cli/app_environment.h"
#include "resolver/install/verify.h"

namespace dae::cli {

// Prints every finding (or JSON) and what to do; the exit code.
int verify_and_tell(Context& context, const Path& env);

// Installs damaged distributions that the lock selects anew, with their entries of the store; before the environment is
// made equal to the lock. Returns how many. Nothing is done where there is no environment yet.
size_t repair_environment(Context& context, const builder::AppFile& app, const resolver::Lock& lock,
                          const resolver::Interpreter& python, Transport& transport,
                          const resolver::SelectOptions& which, bool locked);

}  // namespace dae::cli
