#include "mirror/upload/config.h"

namespace dae::mirror {

void parse_upload_settings(Reader& reader, IndexConfig& index) {
  const bool is_private = index.mode == "private";
  for (const char* key : {"uploads", "immutable"}) {
    const Value* value = reader.optional(key);
    if (value == nullptr) continue;
    if (!is_private) {
      throw reader.error_at(*value, std::string("`") + key + "` is for indexes without an upstream",
                            "`mode: private`; an overlay shows it together with others");
    }
    (std::string_view(key) == "uploads" ? index.uploads : index.immutable) = value->as_bool();
  }
  if (!is_private) return;
  if (const Value* upstream = reader.optional("upstream")) {
    throw reader.error_at(*upstream, "an index of mode `private` has no upstream");
  }
  index.upstream.clear();
  index.frozen = true;
}

}  // namespace dae::mirror
