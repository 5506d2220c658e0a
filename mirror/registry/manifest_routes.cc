#include <algorithm>

#include "base/strings.h"
#include "mirror/registry/protocol.h"
#include "mirror/registry/registry_routes.h"

namespace dae::mirror {
namespace {

constexpr size_t kMostTagsPerPush = 64;

OciRefusal manifest_unknown() {
  return OciRefusal(404, "MANIFEST_UNKNOWN", "this repository has no such manifest");
}

bool is_digest_reference(const std::string& reference) {
  return reference.find(':') != std::string::npos;
}

const std::string& checked_tag(const std::string& tag) {
  if (!is_tag(tag)) throw OciRefusal(400, "MANIFEST_INVALID", "not a tag");
  return tag;
}

ServerResponse get_manifest(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  const std::string& reference = request.captures.at(1);
  std::optional<ManifestRow> row;
  if (is_digest_reference(reference)) {
    row = service.store.manifest(repository, ContentDigest::parse(reference));
  } else if (is_tag(reference)) {
    row = service.store.tagged(repository, reference);
  }
  if (!row || !service.blobs.has(row->stored)) throw manifest_unknown();
  ServerResponse response;
  response.file = service.blobs.path(row->stored);
  response.etag = row->stored.hex();
  response.headers.set("Content-Type", row->media_type);
  response.headers.set("Docker-Content-Digest", row->digest.oci());
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

bool has_reference(RegistryService& service, const std::string& repository, const ManifestReference& reference,
                   bool manifest) {
  if (!is_known_algorithm(reference.digest.substr(0, reference.digest.find(':')))) return false;
  const ContentDigest digest = ContentDigest::parse(reference.digest);
  std::optional<Digest> stored;
  if (!manifest) {
    stored = service.store.blob(repository, digest);
  } else if (const auto row = service.store.manifest(repository, digest)) {
    stored = row->stored;
  }
  const auto size_bytes = stored ? service.blobs.size_bytes(*stored) : std::nullopt;
  if (!size_bytes || !service.blobs.touch(*stored)) return false;
  if (*size_bytes != reference.size_bytes) {
    throw OciRefusal(400, "MANIFEST_INVALID", "`" + reference.digest + "` has another size than the manifest says");
  }
  return true;
}

// The blobs that are there.
std::vector<ContentDigest> check_references(RegistryService& service, const std::string& repository,
                                            const ManifestFacts& facts) {
  std::vector<ContentDigest> held;
  // What is released is whole, whatever the configuration allows elsewhere.
  const bool may_miss = service.sparse && !is_immutable_repository(repository);
  for (const bool manifest : {false, true}) {
    for (const ManifestReference& reference : manifest ? facts.manifests : facts.blobs) {
      if (!reference.required) continue;
      const bool found = has_reference(service, repository, reference, manifest);
      if (!found && !may_miss) {
        throw OciRefusal(400, "MANIFEST_BLOB_UNKNOWN", "`" + reference.digest + "` is not in this repository");
      }
      if (found && !manifest) held.push_back(ContentDigest::parse(reference.digest));
    }
  }
  return held;
}

// The name under which the manifest is kept: the client's, or sha256 for one pushed by tag.
ContentDigest pushed_digest(const ServerRequest& request, const Digest& stored) {
  const std::string& reference = request.captures.at(1);
  if (!is_digest_reference(reference)) return stored;
  const ContentDigest digest = ContentDigest::parse(reference);
  DigestCheck check(digest);
  check.update(request.body);
  check.finish();
  if (digest.is_sha256() && digest != stored) {
    throw OciRefusal(400, "DIGEST_INVALID", "the manifest received does not have this digest");
  }
  return digest;
}

// By tag, or by digest with any number of `tag` parameters.
std::vector<std::string> tags_to_set(const ServerRequest& request) {
  const std::string& reference = request.captures.at(1);
  if (!is_digest_reference(reference)) return {checked_tag(reference)};
  std::vector<std::string> tags;
  for (const auto& [key, value] : request.query) {
    if (key == "tag") tags.push_back(checked_tag(value));
  }
  if (tags.size() > kMostTagsPerPush) throw OciRefusal(414, "MANIFEST_INVALID", "too many tags at once");
  return tags;
}

ServerResponse put_manifest(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  const Digest stored = Digest::of(request.body);
  const ContentDigest digest = pushed_digest(request, stored);
  const std::vector<std::string> tags = tags_to_set(request);
  const ManifestFacts facts = read_manifest(request.body, request.headers.get("Content-Type"));
  const std::vector<ContentDigest> held = check_references(service, repository, facts);
  service.blobs.put(request.body);
  service.store.put_manifest(repository, {digest, stored, facts.media_type, request.body.size()}, facts, tags, held);
  ServerResponse response;
  response.status = 201;
  response.headers.set("Location", "/v2/" + repository + "/manifests/" + digest.oci());
  response.headers.set("Docker-Content-Digest", digest.oci());
  if (!facts.subject.empty()) response.headers.set("OCI-Subject", facts.subject);
  if (is_digest_reference(request.captures.at(1)) && !tags.empty()) response.headers.set("OCI-Tag", join(tags, ", "));
  return response;
}

ServerResponse delete_manifest(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  const std::string& reference = request.captures.at(1);
  const bool removed = is_digest_reference(reference)
                           ? service.store.delete_manifest(repository, ContentDigest::parse(reference))
                           : service.store.delete_tag(repository, checked_tag(reference));
  if (!removed) throw manifest_unknown();
  ServerResponse response;
  response.status = 202;
  return response;
}

ServerResponse api_root(RegistryService&, const ServerRequest&) {
  ServerResponse response = ServerResponse::json(200, "{}");
  response.headers.set("Docker-Distribution-Api-Version", "registry/2.0");
  return response;
}

}  // namespace

void add_manifest_routes(std::vector<Route>& routes, RegistryService& service) {
  const auto add = [&](const char* method, const char* pattern, auto* handle) {
    routes.push_back(
        {.method = method,
         .pattern = pattern,
         .handle = with_oci_errors([&service, handle](const auto& request) { return handle(service, request); }),
         .body_limit_bytes = kManifestLimitBytes});
  };
  for (const char* pattern : {"/v2", "/v2/"}) add("GET", pattern, api_root);
  add("GET", "/v2/{+}/manifests/{}", get_manifest);
  add("PUT", "/v2/{+}/manifests/{}", put_manifest);
  add("DELETE", "/v2/{+}/manifests/{}", delete_manifest);
}

void add_registry_routes(std::vector<Route>& routes, RegistryService& service) {
  add_blob_routes(routes, service);
  add_manifest_routes(routes, service);
  add_list_routes(routes, service);
}

}  // namespace dae::mirror
