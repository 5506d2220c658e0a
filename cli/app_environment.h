#pragma once
// The steps that several commands share: the lock of an app, the wheels it selects here, and the environment in .venv.
#include <string>
#include <variant>
#include <vector>

#include "cli/context.h"
#include "resolver/install/environment.h"
#include "resolver/lock/resolve.h"

namespace dae::cli {

Path lock_path(const builder::AppFile& app);
Path environment_path(const builder::AppFile& app);  // <app>/.venv

// Wheels named by the lock need no network to be known; an sdist has to be built first.
struct WantedWheels {
  std::vector<resolver::WheelToInstall> wheels;
  bool complete = true;  // false: some come as sdist
};
// `base_dir`: of relative paths in the lock.
WantedWheels wanted_from_lock(const std::vector<resolver::Selected>& selected, const Path& base_dir);

// How files that a lock names are fetched: `--offline`, so many at once, with the credentials of the project's indexes.
resolver::FetchOptions fetch_options(Context& context, const Path& project_dir);

resolver::InstallPlan plan_environment(const builder::AppFile& app, const resolver::Interpreter& python,
                                       const std::vector<resolver::WheelToInstall>& wanted, bool exact);

struct EnvironmentChange {
  resolver::InstallPlan plan;
  int packages = 0;
  int from_store = 0;  // were unpacked already
  int64_t duration_ms = 0;
};
// Makes .venv equal to the lock. Costs milliseconds when it is already.
// `locked`: a build that the lock does not pin is worth a warning. `exact`: what dae did not install goes.
EnvironmentChange sync_environment(Context& context, const builder::AppFile& app, const resolver::Lock& lock,
                                   const resolver::Interpreter& python, Transport& transport,
                                   const resolver::SelectOptions& which = {}, bool locked = false,
                                   resolver::LinkMode link_mode = resolver::LinkMode::automatic, bool exact = false);

// Throws a usage Error with "dae install" as its hint when .venv is not what the lock says.
void require_environment(const builder::AppFile& app, const resolver::Interpreter& python);

// The lock file, or a usage Error naming `dae install`; also when pyproject.toml has moved on since.
resolver::Lock require_lock(const builder::AppFile& app, const resolver::ProjectFile& project,
                            const resolver::Interpreter& python);

}  // namespace dae::cli
