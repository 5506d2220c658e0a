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

// `pip wheel` of a file or a folder with a project, into `out`. `label` is for messages.
void pip_wheel(const Path& builder, const Path& source, const Path& out, const std::string& label,
               ProcessRunner& runner);
std::vector<Path> wheels_in(const Path& dir);
// Throws Error failed unless the build made just one.
Path only_wheel(const Path& dir, const std::string& label);

// The last lines a program wrote that are not blank: the cause in a message.
std::string log_tail(const ProcessResult& result);

// The wheel file. Throws Error failed with the end of the build's log as cause.
Path build_sdist(const Path& sdist, const std::string& file_name, const Digest& digest, const Interpreter& python,
                 const Path& cache_dir, ProcessRunner& runner, EventSink& events);

}  // namespace dae::resolver
