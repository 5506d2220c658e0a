#pragma once
// "/": what this mirror has, for people.
#include <string>

#include "mirror/index/page_store.h"
#include "mirror/mirror.h"
#include "mirror/registry/registry_store.h"

namespace dae::mirror {

std::string render_home_page(const MirrorConfig& config, PageStore& pages, RegistryStore& registry);

}  // namespace dae::mirror
