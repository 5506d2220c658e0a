#pragma once
// What `dae doctor` asks of the machine and of the shell, with or without an app.
#include <vector>

#include "cli/context.h"
#include "resolver/install/doctor.h"

namespace dae::cli {

// `env`: of the app here, or empty. `online`: the index is asked, and its clock compared with ours.
std::vector<resolver::DoctorCheck> examine_machine(Context& context, const Path& env,
                                                   const resolver::ProjectFile* project, bool online);

}  // namespace dae::cli
