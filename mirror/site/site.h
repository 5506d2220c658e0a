#pragma once
// Pages for people: what this mirror has, server-rendered, without scripts and without anything from elsewhere.
// Paths: share/doc/formats/mirror-yaml.md, "Pages for people".
#include <vector>

#include "base/http_server.h"
#include "mirror/index/page_store.h"
#include "mirror/mirror.h"
#include "mirror/policy/policies.h"
#include "mirror/site/app_use.h"
#include "mirror/site/costly.h"
#include "mirror/site/survey.h"

namespace dae::mirror {

// What the handlers use; outlives the server.
struct SiteService {
  const MirrorConfig& config;
  Catalog& catalog;
  PageStore& pages;
  RegistryStore& registry;
  const BlobStore& blobs;
  Policies& policies;
  const Clock& clock;
  Costly<Survey> surveys{clock};
  Costly<AppUses> app_uses{clock};
  Costly<std::vector<RepositoryCount>> repositories{clock};
};

// Each answers with what a few short looks at the catalog tell, and with an amount of markup that has a bound.
ServerResponse overview_page(SiteService& site, const ServerRequest& request);
ServerResponse search_page(SiteService& site, const ServerRequest& request);
ServerResponse project_page(SiteService& site, const ServerRequest& request);  // captures: index, name
// What an overlay makes of it.
ServerResponse overlay_project_page(SiteService& site, const ServerRequest& request, const IndexConfig& index,
                                    const std::string& project);
ServerResponse artifacts_page(SiteService& site, const ServerRequest& request);
ServerResponse repository_page(SiteService& site, const ServerRequest& request);  // captures: repository
ServerResponse runs_page(SiteService& site, const ServerRequest& request);

void add_site_routes(std::vector<Route>& routes, SiteService& service);

}  // namespace dae::mirror
