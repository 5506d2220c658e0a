#pragma once
#include "mirror/site/html.h"
#include "mirror/site/site.h"

namespace dae::mirror {

// The last run of each kind and index.
Html last_run_table(SiteService& site);

}  // namespace dae::mirror
