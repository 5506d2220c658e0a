#pragma once
// The keys of an index in mirror.yaml that concern uploads: uploads, immutable; and what mode `private` excludes.
#include "base/value.h"
#include "mirror/mirror.h"

namespace dae::mirror {

// `index.mode` is set. Throws Error bad_input with the position of what is wrong.
void parse_upload_settings(Reader& reader, IndexConfig& index);

}  // namespace dae::mirror
