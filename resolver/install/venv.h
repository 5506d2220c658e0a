#pragma once
// The bare virtual environment (PEP 405), made without running Python.
#include "resolver/install/env_layout.h"

namespace dae::resolver {

// Makes or renews pyvenv.cfg, the interpreter links, activation scripts and site-packages. Everything else below the
// root stays. Running it twice changes nothing.
void make_venv(const EnvLayout& layout, const Interpreter& python);

}  // namespace dae::resolver
