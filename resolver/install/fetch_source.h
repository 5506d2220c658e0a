#pragma once
// Selected packages that are no index files: repositories at the locked commit, directories, archives at a URL.
#include "resolver/install/environment.h"

namespace dae::resolver {

struct SourceFetch {
  const Interpreter& python;
  Transport& transport;
  BlobStore& blobs;
  Path cache_dir;
  ProcessRunner& runner;
  EventSink& events;
  const FetchOptions& options;
};

// Built, unless it was built before (then neither network nor source is touched); its wheel is in the blob store. The
// archive of `item` is there already.
WheelToInstall wheel_from_source(const Selected& item, const SourceFetch& fetch);

// direct_url.json of a direct wheel or archive (PEP 610).
std::string archive_direct_url(const Selected& item, const Digest& digest, const Path& base_dir);

}  // namespace dae::resolver
