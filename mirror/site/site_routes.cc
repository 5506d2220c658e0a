#include "mirror/site/site.h"

namespace dae::mirror {

void add_site_routes(std::vector<Route>& routes, SiteService& service) {
  const auto add = [&](const char* pattern, auto* page) {
    routes.push_back({.method = "GET", .pattern = pattern, .handle = [&service, page](const ServerRequest& request) {
                        return page(service, request);
                      }});
  };
  add("/", overview_page);
  add("/ui/search", search_page);
  add("/ui/artifacts", artifacts_page);
  add("/ui/artifacts/{*}", repository_page);
  add("/ui/runs", runs_page);
  add("/ui/{}/{}", project_page);
}

}  // namespace dae::mirror
