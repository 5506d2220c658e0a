#include "base/strings.h"
#include "mirror/artifact/artifact.h"

namespace dae::mirror {

std::string tag_of_version(const std::string& version) {
  return replace_all(version, "+", "_");
}

}  // namespace dae::mirror
