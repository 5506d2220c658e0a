#pragma once
// Pushing and pulling artifacts with any OCI registry (distribution-spec 1.1: pull, push, content discovery by tag).
#include <optional>
#include <string>
#include <vector>

#include "base/blob_store.h"
#include "base/events.h"
#include "base/http_client.h"
#include "mirror/artifact/artifact.h"

namespace dae::mirror {

struct PushResult {
  int blobs_sent = 0, blobs_total = 0;
  uint64_t bytes_sent = 0, bytes_total = 0;
};

// `registry`: "http://127.0.0.1:8400". `repository`: "apps/bubbler".
class RegistryClient {
 public:
  RegistryClient(Transport& transport, std::string registry);
  // Sends the blobs that are missing (HEAD first), then the manifest under `tag`. A tag that points at another digest
  // already is Error refused: one version never has two digests.
  PushResult push(const std::string& repository, const std::string& tag, const Manifest& manifest, BlobStore& blobs,
                  EventSink& events);
  // "latest tag" or "sha256:…"; nullopt when there is none.
  std::optional<std::pair<Manifest, Digest>> manifest(const std::string& repository, const std::string& reference);
  // Fetches config and layers that `blobs` does not have yet, in parallel, every digest and size verified.
  // Returns the bytes fetched. `keep` (when given) chooses layers by descriptor.
  uint64_t pull_blobs(const std::string& repository, const Manifest& manifest, BlobStore& blobs, EventSink& events);
  std::vector<std::string> tags(const std::string& repository);

 private:
  Transport& transport_;
  std::string registry_;
};

}  // namespace dae::mirror
