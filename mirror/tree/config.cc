#include "mirror/tree/config.h"

namespace dae::mirror {

void parse_tree(Reader& reader, TreeConfig& config) {
  if (const Value* tree = reader.optional("tree")) config.enabled = tree->as_bool();
}

}  // namespace dae::mirror
