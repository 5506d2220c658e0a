#pragma once
#include <string>

#include "mirror/site/html.h"
#include "mirror/site/releases.h"

namespace dae::mirror {

// One version and its files, folded unless `open`; of very many files only the first.
Html release_markup(const Release& release, const ProjectDocument& document, const std::string& root, bool open);

}  // namespace dae::mirror
