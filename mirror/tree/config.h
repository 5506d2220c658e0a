#pragma once
// Key `tree` of mirror.yaml: whether pages are kept as files for an nginx in front.
#include "base/value.h"

namespace dae::mirror {

struct TreeConfig {
  bool enabled = false;
};
void parse_tree(Reader& reader, TreeConfig& config);

}  // namespace dae::mirror
