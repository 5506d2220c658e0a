#pragma once
// How it is told that requirements contradict each other.
#include "cli/context.h"
#include "resolver/lock/resolve.h"

namespace dae::cli {

// Prints the conflicts and the changes that would help (stderr; stdout with --json). Returns the exit code.
int report_no_solution(Context& context, const resolver::NoSolution& no, const resolver::LockRequest& request);

}  // namespace dae::cli
