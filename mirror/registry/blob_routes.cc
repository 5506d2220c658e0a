#include <algorithm>
#include <limits>
#include <optional>

#include "mirror/care/quarantine.h"
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

ServerResponse created(RegistryService& service, const std::string& repository, const ContentDigest& digest,
                       const Digest& stored) {
  service.store.link_blob(repository, digest, stored);
  ServerResponse response;
  response.status = 201;
  response.headers.set("Location", "/v2/" + repository + "/blobs/" + digest.oci());
  response.headers.set("Docker-Content-Digest", digest.oci());
  return response;
}

Chunk chunk_of(const ServerRequest& request) {
  return {request.body_file, request.body_size_bytes, std::string(request.headers.get("Content-Range")),
          request.body_sha256 ? std::optional(request.body_sha256()) : std::nullopt};
}

OciRefusal unknown_blob() {
  return OciRefusal(404, "BLOB_UNKNOWN", "this repository has no such blob");
}

// Whatever of it is here or on its way; HEAD fetches nothing.
void attach_blob(RegistryService& service, const ServerRequest& request, const Digest& stored,
                 ServerResponse* response) {
  try {
    if (!service.blobs.is_near(stored) && service.flights != nullptr) {
      const auto size_bytes = service.blobs.size_bytes(stored);
      if (request.method == "HEAD" && size_bytes) {
        response->growing = std::make_shared<GrowingFile>(*size_bytes);
      } else if (wants_the_end(request)) {
        BlobStore& blobs = service.blobs;
        response->growing =
            service.flights->open(stored, [&blobs, stored](const BlobWatch& watch) { blobs.bring(stored, watch); });
      }
    }
    if (!response->growing) response->file = service.blobs.path(stored);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::verification) quarantine_if_wrong(service.blobs, stored);
    if (error.kind() == ErrorKind::verification || error.kind() == ErrorKind::not_found) throw unknown_blob();
    throw;
  }
}

ServerResponse get_blob(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  const ContentDigest digest = ContentDigest::parse(request.captures.at(1));
  const uint64_t mark = service.answers.mark();
  const auto stored = service.store.blob(repository, digest);
  if (!stored || !service.blobs.has(*stored)) {
    service.answers.forget(request);
    throw unknown_blob();
  }
  ServerResponse response;
  attach_blob(service, request, *stored, &response);
  response.etag = stored->hex();
  response.headers.set("Content-Type", "application/octet-stream");
  response.headers.set("Docker-Content-Digest", digest.oci());
  response.headers.set("Cache-Control", "private, max-age=31536000, immutable");
  response.headers.set("X-Content-Type-Options", "nosniff");
  if (!response.growing) service.answers.keep(request, response, mark, std::numeric_limits<int64_t>::max());
  return response;
}

// The bytes stay until the mirror's garbage collection: another repository or index may hold them.
ServerResponse delete_blob(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  const ContentDigest digest = ContentDigest::parse(request.captures.at(1));
  if (!service.store.unlink_blob(repository, digest)) throw unknown_blob();
  ServerResponse response;
  response.status = 202;
  return response;
}

// `from` may be left out: then any repository or index of this mirror will do, so that a wheel which the index has
// pulled through already never travels again inside an artifact.
std::optional<Digest> find_to_mount(RegistryService& service, const ContentDigest& digest, const std::string& from) {
  std::optional<Digest> stored;
  if (from.empty()) {
    stored = service.store.blob_anywhere(digest);
  } else if (is_repository_name(from)) {
    stored = service.store.blob(from, digest);
  }
  return stored && service.blobs.touch(*stored) ? stored : std::nullopt;
}

ServerResponse start_upload(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  if (const std::string mount = request.query_value("mount"); !mount.empty()) {
    const ContentDigest digest = ContentDigest::parse(mount);
    const auto stored = find_to_mount(service, digest, request.query_value("from"));
    if (stored) return created(service, repository, digest, *stored);
  } else if (const std::string whole = request.query_value("digest"); !whole.empty()) {
    const ContentDigest digest = ContentDigest::parse(whole);
    return created(service, repository, digest, store_blob(service.blobs, chunk_of(request), digest));
  }
  // A hint only: the digest that ends the upload says it again.
  if (!is_known_algorithm(request.query_value("digest-algorithm", "sha256"))) {
    throw OciRefusal(400, "UNSUPPORTED", "this registry knows sha256 and sha512 only");
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
  const ContentDigest digest = ContentDigest::parse(request.query_value("digest"));
  return created(service, repository, digest,
                 service.uploads.finish(repository, request.captures.at(1), chunk_of(request), digest));
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

// Before the bytes come: no client sends gigabytes to an upload that is not there, or that has no room for them.
std::optional<ServerResponse> admit_chunk(RegistryService& service, const ServerRequest& request) {
  try {
    const std::string& repository = checked_repository(request.captures.at(0));
    const uint64_t held = request.captures.size() > 1 ? service.uploads.status(repository, request.captures[1]) : 0;
    const uint64_t room = service.blob_limit_bytes - std::min(held, service.blob_limit_bytes);
    if (request.announced_bytes.value_or(0) <= room) return std::nullopt;
    throw OciRefusal(413, "SIZE_INVALID", "the blob is larger than `limits.file` of this mirror");
  } catch (const OciRefusal& refusal) {
    return refusal.response();
  }
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
      route.admit = [&service](const ServerRequest& request) { return admit_chunk(service, request); };
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
