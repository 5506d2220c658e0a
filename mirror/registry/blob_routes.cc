#include "mirror/registry/protocol.h"
#include "mirror/registry/registry_routes.h"

namespace dae::mirror {
namespace {

ServerResponse accepted(int status, const std::string& repository, const std::string& id, uint64_t size_bytes) {
  ServerResponse response;
  response.status = status;
  response.headers.set("Location", upload_location(repository, id));
  response.headers.set("Range", upload_range(size_bytes));
  response.headers.set("Docker-Upload-UUID", id);
  return response;
}

ServerResponse created(RegistryService& service, const std::string& repository, const Digest& digest) {
  service.store.link_blob(repository, digest);
  ServerResponse response;
  response.status = 201;
  response.headers.set("Location", "/v2/" + repository + "/blobs/" + digest.oci());
  response.headers.set("Docker-Content-Digest", digest.oci());
  return response;
}

Chunk chunk_of(const ServerRequest& request) {
  return {request.body_file, request.body_size_bytes, std::string(request.headers.get("Content-Range"))};
}

ServerResponse get_blob(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  const Digest digest = checked_digest(request.captures.at(1));
  if (!service.store.has_blob(repository, digest) || !service.blobs.has(digest)) {
    throw OciRefusal(404, "BLOB_UNKNOWN", "this repository has no such blob");
  }
  ServerResponse response;
  response.file = service.blobs.path(digest);
  response.etag = digest.hex();
  response.headers.set("Content-Type", "application/octet-stream");
  response.headers.set("Docker-Content-Digest", digest.oci());
  response.headers.set("Cache-Control", "private, max-age=31536000, immutable");
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

// The bytes stay until the mirror's garbage collection: another repository or index may hold them.
ServerResponse delete_blob(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  const Digest digest = checked_digest(request.captures.at(1));
  if (!service.store.unlink_blob(repository, digest)) {
    throw OciRefusal(404, "BLOB_UNKNOWN", "this repository has no such blob");
  }
  ServerResponse response;
  response.status = 202;
  return response;
}

// `from` may be left out: then any repository or index of this mirror will do, so that a wheel which the index has
// pulled through already never travels again inside an artifact.
bool can_mount(RegistryService& service, const Digest& digest, const std::string& from) {
  if (!service.blobs.has(digest)) return false;
  if (from.empty()) return service.store.is_blob_anywhere(digest);
  return is_repository_name(from) && service.store.has_blob(from, digest);
}

ServerResponse start_upload(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  if (const std::string mount = request.query_value("mount"); !mount.empty()) {
    const Digest digest = checked_digest(mount);
    if (can_mount(service, digest, request.query_value("from"))) return created(service, repository, digest);
  } else if (const std::string whole = request.query_value("digest"); !whole.empty()) {
    const Digest digest = checked_digest(whole);
    store_blob(service.blobs, chunk_of(request), digest);
    return created(service, repository, digest);
  }
  if (const std::string algorithm = request.query_value("digest-algorithm", "sha256"); algorithm != "sha256") {
    throw OciRefusal(400, "UNSUPPORTED", "this registry holds content by sha256 only");
  }
  return accepted(202, repository, service.uploads.start(repository), 0);
}

ServerResponse patch_upload(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  const std::string& id = request.captures.at(1);
  return accepted(202, repository, id, service.uploads.append(repository, id, chunk_of(request)));
}

ServerResponse put_upload(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  const Digest digest = checked_digest(request.query_value("digest"));
  service.uploads.finish(repository, request.captures.at(1), chunk_of(request), digest);
  return created(service, repository, digest);
}

ServerResponse upload_status(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  const std::string& id = request.captures.at(1);
  return accepted(204, repository, id, service.uploads.status(repository, id));
}

ServerResponse cancel_upload(RegistryService& service, const ServerRequest& request) {
  service.uploads.cancel(checked_repository(request.captures.at(0)), request.captures.at(1));
  ServerResponse response;
  response.status = 204;
  return response;
}

}  // namespace

void add_blob_routes(std::vector<Route>& routes, RegistryService& service) {
  const auto add = [&](const char* method, const char* pattern, auto* handle, bool body = false) {
    Route route{
        .method = method, .pattern = pattern, .handle = with_oci_errors([&service, handle](const auto& request) {
                                                return handle(service, request);
                                              })};
    if (body) {
      route.body_limit_bytes = service.blob_limit_bytes;
      route.spool_body = true;
    }
    routes.push_back(std::move(route));
  };
  for (const char* pattern : {"/v2/{+}/blobs/uploads", "/v2/{+}/blobs/uploads/"})
    add("POST", pattern, start_upload, true);
  add("GET", "/v2/{+}/blobs/uploads/{}", upload_status);
  add("PATCH", "/v2/{+}/blobs/uploads/{}", patch_upload, true);
  add("PUT", "/v2/{+}/blobs/uploads/{}", put_upload, true);
  add("DELETE", "/v2/{+}/blobs/uploads/{}", cancel_upload);
  add("GET", "/v2/{+}/blobs/{}", get_blob);
  add("DELETE", "/v2/{+}/blobs/{}", delete_blob);
}

}  // namespace dae::mirror
