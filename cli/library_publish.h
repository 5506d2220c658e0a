#pragma once
// dae publish --wheel: sdist and wheel of the library here, uploaded to an index that speaks the legacy upload API.
#include "cli/context.h"

namespace dae::cli {

struct LibraryPublish {
  std::string index;       // where uploads go
  std::string token_file;  // "": $DAE_PUBLISH_TOKEN
  std::string python;
  bool dry_run = false;
};

int publish_library(const LibraryPublish& options, Context& context);

}  // namespace dae::cli
