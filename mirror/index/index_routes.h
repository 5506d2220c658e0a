#pragma once
// The package index over HTTP: pages by content negotiation, files and their metadata by digest.
#include <functional>
#include <string>
#include <vector>

#include "base/http_server.h"
#include "mirror/index/answer_cache.h"
#include "mirror/index/file_store.h"
#include "mirror/index/listing.h"
#include "mirror/index/render_cache.h"
#include "mirror/index/snapshots.h"

namespace dae::mirror {

// What the handlers use; outlives the server.
struct IndexService {
  const Indexes& indexes;
  PageStore& pages;
  FileStore& files;
  BlobStore& blobs;
  RenderCache& rendered;
  AnswerCache& answers;
  Policies& policies;
  Snapshots& snapshots;
  // A file that is here was left to nginx to send. Waits for nothing.
  std::function<void(const Digest&, const std::string& file)> on_left_to_nginx = {};
};

void add_index_routes(std::vector<Route>& routes, IndexService& service);

}  // namespace dae::mirror
