#pragma once
// OCI distribution 1.1 over HTTP: pull, push, content discovery, content management.
#include <vector>

#include "base/http_server.h"
#include "mirror/index/answer_cache.h"
#include "mirror/index/file_flights.h"
#include "mirror/registry/registry_store.h"
#include "mirror/registry/uploads.h"

namespace dae::mirror {

// What the handlers use; outlives the server.
struct RegistryService {
  RegistryStore& store;
  Uploads& uploads;
  BlobStore& blobs;
  uint64_t blob_limit_bytes;
  bool sparse;  // manifests may name what is not here
  AnswerCache& answers;
  FileFlights* flights = nullptr;  // with it, a blob that is not near is sent while it comes
};

void add_registry_routes(std::vector<Route>& routes, RegistryService& service);
// The parts.
void add_blob_routes(std::vector<Route>& routes, RegistryService& service);
void add_manifest_routes(std::vector<Route>& routes, RegistryService& service);
void add_list_routes(std::vector<Route>& routes, RegistryService& service);

}  // namespace dae::mirror
