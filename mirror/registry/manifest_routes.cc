#include <algorithm>

#include "base/strings.h"
#include "mirror/registry/protocol.h"
#include "mirror/registry/registry_routes.h"

namespace dae::mirror {
namespace {

constexpr int64_t kMostTagsPerPage = 1000;
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
    row = service.store.manifest(repository, checked_digest(reference));
  } else if (is_tag(reference)) {
    row = service.store.tagged(repository, reference);
  }
  if (!row || !service.blobs.has(row->digest)) throw manifest_unknown();
  ServerResponse response;
  response.file = service.blobs.path(row->digest);
  response.etag = row->digest.hex();
  response.headers.set("Content-Type", row->media_type);
  response.headers.set("Docker-Content-Digest", row->digest.oci());
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

bool has_reference(RegistryService& service, const std::string& repository, const ManifestReference& reference,
                   bool manifest) {
  if (reference.digest.rfind("sha256:", 0) != 0) return false;
  const Digest digest = Digest::parse(reference.digest);
  const bool listed =
      manifest ? service.store.has_manifest(repository, digest) : service.store.has_blob(repository, digest);
  const auto size_bytes = service.blobs.size_bytes(digest);
  if (!listed || !size_bytes) return false;
  if (*size_bytes != reference.size_bytes) {
    throw OciRefusal(400, "MANIFEST_INVALID", "`" + reference.digest + "` has another size than the manifest says");
  }
  return true;
}

void check_references(RegistryService& service, const std::string& repository, const ManifestFacts& facts) {
  for (const bool manifest : {false, true}) {
    for (const ManifestReference& reference : manifest ? facts.manifests : facts.blobs) {
      if (reference.required && !has_reference(service, repository, reference, manifest)) {
        throw OciRefusal(400, "MANIFEST_BLOB_UNKNOWN", "`" + reference.digest + "` is not in this repository");
      }
    }
  }
}

// By tag, or by digest with any number of `tag` parameters.
std::vector<std::string> tags_to_set(const ServerRequest& request, const Digest& digest) {
  const std::string& reference = request.captures.at(1);
  if (!is_digest_reference(reference)) return {checked_tag(reference)};
  if (checked_digest(reference) != digest) {
    throw OciRefusal(400, "DIGEST_INVALID", "the manifest received does not have this digest");
  }
  std::vector<std::string> tags;
  for (const auto& [key, value] : request.query) {
    if (key == "tag") tags.push_back(checked_tag(value));
  }
  if (tags.size() > kMostTagsPerPush) throw OciRefusal(414, "MANIFEST_INVALID", "too many tags at once");
  return tags;
}

ServerResponse put_manifest(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  const Digest digest = Digest::of(request.body);
  const std::vector<std::string> tags = tags_to_set(request, digest);
  const ManifestFacts facts = read_manifest(request.body, request.headers.get("Content-Type"));
  check_references(service, repository, facts);
  service.blobs.put(request.body);
  service.store.put_manifest(repository, {digest, facts.media_type, request.body.size()}, facts, tags);
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
                           ? service.store.delete_manifest(repository, checked_digest(reference))
                           : service.store.delete_tag(repository, checked_tag(reference));
  if (!removed) throw manifest_unknown();
  ServerResponse response;
  response.status = 202;
  return response;
}

int64_t page_size(const ServerRequest& request) {
  const std::string text = request.query_value("n");
  if (text.empty()) return kMostTagsPerPage;
  const auto n = parse_int(text);
  if (!n || *n < 0) throw OciRefusal(400, "UNSUPPORTED", "`n` is not a number");
  return std::min(*n, kMostTagsPerPage);
}

ServerResponse list_tags(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  if (!service.store.has_repository(repository)) throw OciRefusal(404, "NAME_UNKNOWN", "no such repository");
  const int64_t n = page_size(request);
  // One more than asked for tells whether there is a next page.
  std::vector<std::string> tags = service.store.tags(repository, request.query_value("last"), n + 1);
  const bool more = n > 0 && tags.size() > static_cast<size_t>(n);
  tags.resize(std::min(tags.size(), static_cast<size_t>(n)));
  ServerResponse response =
      ServerResponse::json(200, canonical_json(Value::object({{"name", repository}, {"tags", Value::strings(tags)}})));
  if (more) {
    response.headers.set("Link", "</v2/" + repository + "/tags/list?n=" + std::to_string(n) +
                                     "&last=" + percent_encode(tags.back()) + ">; rel=\"next\"");
  }
  return response;
}

ServerResponse list_referrers(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  const std::string& subject = request.captures.at(1);
  if (!is_digest_form(subject)) throw OciRefusal(400, "DIGEST_INVALID", "not a digest");
  const std::string type = request.query_value("artifactType");
  Value index = Value::object({{"schemaVersion", 2}, {"mediaType", kIndexType}});
  index.set("manifests", service.store.referrers(repository, subject, type));
  ServerResponse response = ServerResponse::json(200, canonical_json(index), kIndexType);
  if (!type.empty()) response.headers.set("OCI-Filters-Applied", "artifactType");
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
  add("GET", "/v2/{+}/tags/list", list_tags);
  add("GET", "/v2/{+}/referrers/{}", list_referrers);
}

void add_registry_routes(std::vector<Route>& routes, RegistryService& service) {
  add_blob_routes(routes, service);
  add_manifest_routes(routes, service);
}

}  // namespace dae::mirror
