#pragma once
// A wheel from an sdist (PEP 517), by the interpreter's own pip or, where it has none, one in a virtual environment of
// ours; pip makes the isolated environment of each build itself. Built once per (sdist digest, cache tag): kept in
// <cache_dir>/built-wheels/<digest>-<cache_tag>/.
#include "base/events.h"
#include "base/hash.h"
#include "resolver/install/interpreter.h"

namespace dae::resolver {

// An interpreter whose `-m pip` works: this one, else one in an environment of ours that is made when first needed.
Path builder_python(const Interpreter& python, const Path& cache_dir, ProcessRunner& runner, EventSink& events);

// The wheel file. Throws Error failed with the end of the build's log as cause.
Path build_sdist(const Path& sdist, const std::string& file_name, const Digest& digest, const Interpreter& python,
                 const Path& cache_dir, ProcessRunner& runner, EventSink& events);

}  // namespace dae::resolver
