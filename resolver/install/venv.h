#pragma once
// The bare virtual environment (PEP 405), made without running Python.
#include <string_view>

#include "resolver/install/env_layout.h"

namespace dae::resolver {

// Makes or renews pyvenv.cfg, the interpreter links, activation scripts and site-packages. Everything else below the
// root stays. Running it twice changes nothing.
void make_venv(const EnvLayout& layout, const Interpreter& python);
// A file, relative to the root, without which it is no environment of ours, whatever some RECORD says.
bool is_part_of_venv(const EnvLayout& layout, std::string_view target);

}  // namespace dae::resolver
