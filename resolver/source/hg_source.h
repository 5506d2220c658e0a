#pragma once
// Mercurial through its own executable: <cache>/hg-v1/<hash of the URL>/ is a clone without files,
// <cache>/hg-v1/checkouts/<node>/ the files of a commit. Thread-safe, also between processes.
#include <string>

#include "resolver/source/git_source.h"

namespace dae::resolver {

// As resolve_git() and checkout_git(). Without `hg` on this machine: Error not_found with a hint.
std::string resolve_hg(const std::string& url, const std::string& revision, const std::string& label,
                       const VcsAccess& access);
Path checkout_hg(const std::string& url, const std::string& node, const std::string& label, const VcsAccess& access);

}  // namespace dae::resolver
