#include "mirror/care/config.h"

namespace dae::mirror {

CareConfig parse_care_config(Reader reader) {
  CareConfig config;
  config.grace_ms = reader.duration_ms("grace", config.grace_ms);
  config.removed_for_ms = reader.duration_ms("removed_for", config.removed_for_ms);
  reader.finish();
  return config;
}

}  // namespace dae::mirror
