#pragma once
// dae install --bundle: an environment from a bundle, without network.
#include <string>
#include <vector>

#include "cli/app_environment.h"

namespace dae::cli {

struct BundleInstall {
  std::string path;  // folder or tar
  std::string python;
  std::vector<std::string> extras, groups;  // none: those the bundle was made with
  bool no_dev = false, dry_run = false, exact = false;
};
// The app's lock has to be the bundle's; where it has none the bundle's is taken over.
int install_from_bundle(Context& context, const BundleInstall& options);

}  // namespace dae::cli
