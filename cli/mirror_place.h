#pragma once
// Which mirror the commands beside `dae mirror serve` work on: its configuration, found from the same flags.
#include <string>

#include "cli/command_line.h"
#include "mirror/mirror.h"

namespace dae::cli {

struct MirrorPlace {
  std::string config, storage;  // flags
  void options(CommandLine& line);
  // mirror.yaml when `config` names one, else one index in `storage`, else in the data folder.
  mirror::MirrorConfig read() const;
};

}  // namespace dae::cli
