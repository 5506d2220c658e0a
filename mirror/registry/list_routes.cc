#include <algorithm>

#include "base/strings.h"
#include "mirror/registry/protocol.h"
#include "mirror/registry/registry_routes.h"

namespace dae::mirror {
namespace {

constexpr int64_t kMostPerPage = 1000;

// What `n` asks for; a listing without it has the most that there is.
int64_t page_size(const ServerRequest& request) {
  const std::string text = request.query_value("n");
  if (text.empty()) return kMostPerPage;
  const auto n = parse_int(text);
  if (!n || *n < 0) throw OciRefusal(400, "UNSUPPORTED", "`n` is not a number");
  return std::min(*n, kMostPerPage);
}

// `names`: one more than `n` where there is a next page.
ServerResponse name_page(const std::string& path, Value body, std::string_view key, std::vector<std::string> names,
                         int64_t n) {
  const bool more = n > 0 && names.size() > static_cast<size_t>(n);
  names.resize(std::min(names.size(), static_cast<size_t>(n)));
  body.set(std::string(key), Value::strings(names));
  ServerResponse response = ServerResponse::json(200, canonical_json(body));
  if (more) {
    response.headers.set(
        "Link", "<" + path + "?n=" + std::to_string(n) + "&last=" + percent_encode(names.back()) + ">; rel=\"next\"");
  }
  return response;
}

ServerResponse list_tags(RegistryService& service, const ServerRequest& request) {
  const std::string& repository = checked_repository(request.captures.at(0));
  if (!service.store.has_repository(repository)) throw OciRefusal(404, "NAME_UNKNOWN", "no such repository");
  const int64_t n = page_size(request);
  return name_page("/v2/" + repository + "/tags/list", Value::object({{"name", repository}}), "tags",
                   service.store.tags(repository, request.query_value("last"), n + 1), n);
}

ServerResponse list_repositories(RegistryService& service, const ServerRequest& request) {
  const int64_t n = page_size(request);
  return name_page("/v2/_catalog", Value::object({}), "repositories",
                   service.store.repositories(request.query_value("last"), n + 1), n);
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

}  // namespace

void add_list_routes(std::vector<Route>& routes, RegistryService& service) {
  const auto add = [&](const char* pattern, auto* handle) {
    routes.push_back(
        {.method = "GET", .pattern = pattern, .handle = with_oci_errors([&service, handle](const auto& request) {
                                                return handle(service, request);
                                              })});
  };
  add("/v2/_catalog", list_repositories);
  add("/v2/{+}/tags/list", list_tags);
  add("/v2/{+}/referrers/{}", list_referrers);
}

}  // namespace dae::mirror
