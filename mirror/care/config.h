#pragma once
// Section `care` of mirror.yaml: how long `dae mirror gc` keeps what nothing lists any more.
#include <cstdint>

#include "base/value.h"

namespace dae::mirror {

struct CareConfig {
  // Bytes that were put this recently stay: what will list them may not be written yet.
  int64_t grace_ms = 2 * 3'600'000;
  // What an index listed stays this long after its removal, and so do quarantined blobs.
  int64_t removed_for_ms = 30ll * 86'400'000;
};
CareConfig parse_care_config(Reader reader);

}  // namespace dae::mirror
