#pragma once
// `storage`, `cache`, `cache_limit` and `lease` of mirror.yaml.
#include <string>

#include "base/value.h"
#include "mirror/mirror.h"

namespace dae::mirror {

void parse_storage(Reader& reader, MirrorConfig& config);
// A folder or an s3:// URL, in place of what the configuration says; the lease and the cache stay as configured.
void set_storage(MirrorConfig& config, const std::string& storage);

}  // namespace dae::mirror
