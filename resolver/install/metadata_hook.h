#pragma once
// Core metadata of a source tree without building it: PEP 517 `prepare_metadata_for_build_wheel`, in an environment
// that holds the build requirements and nothing else. Such an environment is made once per list of requirements and
// kept in <cache_dir>/build-envs/: old projects all ask for the same two packages.
#include <optional>
#include <string>

#include "base/events.h"
#include "base/process.h"
#include "resolver/install/interpreter.h"

namespace dae::resolver {

// `project` holds pyproject.toml or setup.py and may be written to (setup.py leaves *.egg-info behind); `label` is for
// messages. nullopt: the backend has no such hook, so a wheel must be built. Throws Error failed with the end of the
// log.
std::optional<std::string> prepare_metadata(const Path& project, const std::string& label, const Path& pip_python,
                                            const Interpreter& python, const Path& cache_dir, ProcessRunner& runner,
                                            EventSink& events);

// A wheel below `out` (a folder) that leads to the sources where they are (PEP 660), in the same kind of environment.
// Throws Error failed also when the backend makes none.
void build_editable(const Path& project, const std::string& label, const Path& out, const Path& pip_python,
                    const Interpreter& python, const Path& cache_dir, ProcessRunner& runner, EventSink& events);

}  // namespace dae::resolver
