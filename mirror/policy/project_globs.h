#pragma once
// Globs over project names, as `exempt`, `claims` and `merge` list them: `*`, `?`, and everything else literally.
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"

namespace dae::mirror {

// The glob with its name parts normalised, so that "Acme_*" means "acme-*". Empty: it is no glob of names.
std::string normalize_project_glob(std::string_view glob);
// `project` is normalised.
bool matches_any(const std::vector<std::string>& globs, std::string_view project);
// The key's list, normalised. Throws Error bad_input with the position.
std::vector<std::string> read_project_globs(Reader& reader, std::string_view key);

}  // namespace dae::mirror
