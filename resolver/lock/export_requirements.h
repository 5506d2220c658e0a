#pragma once
// A lock as a requirements file for tools that know no lock: every package pinned and hashed, sorted by name.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "resolver/lock/lock.h"

namespace dae::resolver {

struct ExportOptions {
  SelectOptions which;
  std::optional<Target> target;  // for this machine only; else for all targets of the lock, told apart by markers
  bool hashes = true;
  bool via = false;                                       // "# via" comments: who needs it
  std::map<std::string, std::vector<std::string>> roots;  // name -> origins, for those comments
  std::vector<std::string> index_urls;                    // written as --index-url and --extra-index-url
};

// Repositories and folders have no hash: pip refuses them beside `--require-hashes`. `unhashed` gets their names.
std::string export_requirements(const Lock& lock, const ExportOptions& options,
                                std::vector<std::string>* unhashed = nullptr);

}  // namespace dae::resolver
