#pragma once
// ~/.config/dae/config.yaml: what holds for a person on this machine. Format: share/doc/formats/config-yaml.md.
#include <string>
#include <vector>

#include "base/fs.h"
#include "resolver/install/environment.h"
#include "resolver/source/index.h"

namespace dae::cli {

struct UserConfig {
  std::vector<resolver::IndexSource> indexes;  // or one whose URL is "pip"
  std::string mirror, control;
  std::string keyring;  // "1": the keyring command may be asked
  bool bytecode = true;
  std::string link_mode;
  std::string build_sandbox = "auto";       // or "require", "off"
  int64_t build_timeout_ms = 0;             // 0: nothing said
  std::vector<std::string> build_pass_env;  // variables that builds see
  int concurrent_downloads = 0;             // of one host; 0: nothing said
  std::vector<std::string> audit_feeds;     // of advisories: files, folders, addresses
};
Path user_config_file();
UserConfig read_user_config();  // nothing set when there is no such file

// The flag, $DAE_LINK_MODE, the configuration file; automatic when nobody says.
resolver::LinkMode chosen_link_mode(const std::string& flag);
// $DAE_BYTECODE (0 or 1), then the configuration file.
bool compiles_bytecode();
// $DAE_CONCURRENT_DOWNLOADS, then the configuration file; 0: nobody says.
int concurrent_downloads();

std::string without_end_slash(std::string url);
// The flag, $DAE_MIRROR, the configuration file, a running `dae local`; "" when nobody says.
std::string find_mirror_url(const std::string& flag);

}  // namespace dae::cli
