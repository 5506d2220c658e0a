#pragma once
// Selected packages that are no wheels: sdists, repositories at the locked commit, directories, archives at a URL.
#include "resolver/install/build.h"

namespace dae::resolver {

// Built, unless it was built before (then neither network nor source is touched); its wheel is in the blob store. The
// archive of `item` is there already. `chain`: what it is needed to build.
WheelToInstall wheel_from_source(const Selected& item, SourceBuilder& builder, const BuildChain& chain);

// What building it takes; its archive is brought here when that is not known.
std::vector<std::string> requirements_of_source(const Selected& item, SourceBuilder& builder);

// direct_url.json of a direct wheel or archive (PEP 610).
std::string archive_direct_url(const Selected& item, const Digest& digest, const Path& base_dir);

}  // namespace dae::resolver
