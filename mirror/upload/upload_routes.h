#pragma once
// The legacy upload API: POST /<index>/legacy/ and /<index>/, for indexes that take uploads.
#include <vector>

#include "base/http_server.h"
#include "mirror/upload/publisher.h"

namespace dae::mirror {

// What the handlers use; outlives the server.
struct UploadService {
  Catalog& catalog;
  Publisher& publisher;
  const Clock& clock;
  Path scratch_dir;  // on the blob store's file system, so that a file is taken over by rename
  uint64_t limit_bytes;
};

void add_upload_routes(std::vector<Route>& routes, UploadService& service, const std::vector<IndexConfig>& indexes);

}  // namespace dae::mirror
