#pragma once
// Which apps have which packages in their artifacts: told from the wheels that the manifests of `apps/…` name.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/blob_store.h"
#include "mirror/registry/registry_store.h"

namespace dae::mirror {

struct AppUse {
  std::string repository, tag, version;  // of the package
};

struct AppUses {
  std::map<std::string, std::vector<AppUse>, std::less<>> by_package;  // normalised name; in order of repository
  int64_t artifacts = 0;
  bool all = true;  // false: there are more apps than are looked at
};

// Looks at the artifact that each app's newest tag names. What is missing or no artifact of ours is passed over.
AppUses find_app_uses(Catalog& catalog, RegistryStore& registry, const BlobStore& blobs);

}  // namespace dae::mirror
