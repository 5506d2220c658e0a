#pragma once
// The environment and the places it names, read in one place.
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace dae {

using Path = std::filesystem::path;

// nullopt when unset; an empty value counts as unset.
std::optional<std::string> env_var(const char* name);
std::map<std::string, std::string> all_env_vars();
Path home_dir();
Path cache_dir();   // $DAE_CACHE_DIR, else $XDG_CACHE_HOME/dae, else ~/.cache/dae
Path data_dir();    // $DAE_DATA_DIR, else $XDG_DATA_HOME/dae, else ~/.local/share/dae
Path config_dir();  // $DAE_CONFIG_DIR, else $XDG_CONFIG_HOME/dae, else ~/.config/dae

}  // namespace dae
