#pragma once
// The files of a project as people look for them: by version, newest first.
#include <functional>
#include <string>
#include <vector>

#include "mirror/index/project_document.h"
#include "resolver/standards/version.h"

namespace dae::mirror {

struct Release {
  std::string version;  // normalised; "" where the names say none
  bool prerelease = false;
  bool yanked = false;   // all of its files are
  bool hidden = false;   // all of its files are
  std::string uploaded;  // of its first file, RFC 3339; "" when not known
  uint64_t size_bytes = 0;
  std::vector<const resolver::IndexFile*> files;  // wheels first, by name; they live as long as the page
};

// Files whose names say no version come last.
// `offered`: whether the policy lets installers see the file.
std::vector<Release> releases_of(const resolver::ProjectPage& page,
                                 const std::function<bool(const resolver::IndexFile&)>& offered);
// What an installer takes when nothing is asked for: the newest that is offered, neither yanked nor a pre-release; else
// the newest at all. Nullptr: there is none.
const Release* default_release(const std::vector<Release>& releases);

}  // namespace dae::mirror
