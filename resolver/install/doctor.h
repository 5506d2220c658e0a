#pragma once
// What is wrong with an environment, and what mends it. Looks, and changes nothing.
#include <set>
#include <string>
#include <vector>

#include "base/events.h"
#include "base/process.h"
#include "resolver/install/environment.h"
#include "resolver/lock/lock.h"

namespace dae::resolver {

struct DoctorCheck {
  enum class State { ok, note, problem };
  std::string name;  // "interpreter"
  State state = State::ok;
  std::string text;                  // what was found, one line
  std::vector<std::string> details;  // each one line
  std::string hint;                  // what to do; never empty for a problem
};

struct DoctorQuestion {
  Path env;
  StorePaths store;
  const Interpreter* python = nullptr;  // what an installation would choose now; null: there is none
  bool locked = false;                  // the two below say something
  std::vector<Selected> least, most;    // what the lock selects without and with all groups and extras
  std::set<std::string> overridden;     // whose versions the project takes upon itself
  bool deep = false;                    // read every file
};
std::vector<DoctorCheck> examine_environment(ProcessRunner& runner, const DoctorQuestion& question, EventSink& events);

// A distribution as it stands in an environment, whoever installed it.
struct StandingDistribution {
  std::string name, version, folder;  // normalised; "flask-3.1.2.dist-info"
  std::vector<std::string> requires_dist;
  std::string requires_python;
  bool foreign = false;
  std::string broken;  // why its METADATA cannot be read
};
std::vector<StandingDistribution> standing_distributions(const Path& env);  // sorted by folder

// Like `pip check`: what is required by what stands there, and is not there in a version that will do.
DoctorCheck check_dependencies(const std::vector<StandingDistribution>& standing, const Target& target,
                               const std::set<std::string>& overridden);
DoctorCheck check_duplicates(const std::vector<StandingDistribution>& standing);
DoctorCheck check_foreign(const std::vector<StandingDistribution>& standing);

}  // namespace dae::resolver
