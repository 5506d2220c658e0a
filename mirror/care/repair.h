#pragma once
// Fetches again what the store has lost, from the upstreams of the indexes that list it.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mirror/care/listings.h"
#include "mirror/index/upstream.h"

namespace dae::mirror {

class Repairer {
 public:
  Repairer(const MirrorConfig& config, PageStore& pages, BlobStore& blobs, Transport& transport, ProcessRunner& runner);
  ~Repairer();
  // True: the store has it, and its bytes are right. Else `why_not` says why.
  bool repair(const Digest& digest, const std::vector<Lister>& listed_by, std::string& why_not);

 private:
  bool fetch(const Digest& digest, const Lister& lister);
  bool fetch_metadata(const Digest& digest, const Lister& lister, const resolver::IndexFile& file);
  Upstream* upstream(const std::string& index);

  const MirrorConfig& config_;
  PageStore& pages_;
  BlobStore& blobs_;
  Transport& transport_;
  ProcessRunner& runner_;
  Metrics metrics_;
  std::map<std::string, std::unique_ptr<Upstream>> upstreams_;
};

}  // namespace dae::mirror
