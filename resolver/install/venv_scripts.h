#pragma once
// The scripts in bin/ that make a shell, or a running interpreter, use an environment.
#include <string>

#include "base/fs.h"

namespace dae::resolver {

// ".venv" says nothing: the folder it stands in does.
std::string prompt_name(const Path& root);
std::string activate_sh(const Path& root);
std::string activate_fish(const Path& root);
std::string activate_csh(const Path& root);
std::string activate_ps1(const Path& root);  // PowerShell on Linux
// `site`: relative to the root. For programs with an interpreter inside, which have no shell to activate in.
std::string activate_this_py(const std::string& site);

}  // namespace dae::resolver
