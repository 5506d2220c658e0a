#pragma once
// What a pushed manifest says, read with suspicion: image-spec 1.1 manifests and indexes, and their docker ancestors.
#include <string>
#include <string_view>
#include <vector>

namespace dae::mirror {

struct ManifestReference {
  std::string digest;  // any algorithm, form checked
  uint64_t size_bytes = 0;
  bool required = true;  // false: foreign layers, which live elsewhere
};

struct ManifestFacts {
  std::string media_type, artifact_type, subject;  // subject: digest or ""
  std::string annotations = "{}";                  // canonical JSON
  std::vector<ManifestReference> blobs;            // config and layers
  std::vector<ManifestReference> manifests;        // of an index
};

// `content_type`: the request's, "" when absent. Throws OciRefusal MANIFEST_INVALID.
ManifestFacts read_manifest(std::string_view bytes, std::string_view content_type);

}  // namespace dae::mirror
