#pragma once
#include <string>

#include "mirror/policy/policy.h"
#include "mirror/site/html.h"
#include "mirror/site/releases.h"

namespace dae::mirror {

struct ProjectView {
  ProjectDocument document;
  Policy policy;
  std::string barred;  // why the index may not speak for the project at all; "": it may
  int64_t now_ms = 0;
  std::string root;

  Verdict verdict(const resolver::IndexFile& file) const;
};

// One version and its files, folded unless `open`; of very many files only the first.
Html release_markup(const Release& release, const ProjectView& view, bool open);

}  // namespace dae::mirror
