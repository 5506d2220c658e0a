#pragma once
// From the upstream's page of a project to what the index will list of it. Pure.
#include <string>
#include <vector>

#include "mirror/index/project_document.h"
#include "mirror/sync/filter.h"

namespace dae::mirror::sync {

struct Choice {
  ProjectDocument document;       // the files that the filter keeps; learned sizes and metadata stay
  std::vector<size_t> to_bring;   // of the document's files: those that were not listed so before
  std::vector<std::string> gone;  // listed before, and not in the document
  size_t left_out = 0;            // dropped by the filter
  bool same = false;              // as what is listed
};

// `listed`: what the index lists now, may be null.
Choice choose(const resolver::ProjectPage& page, const ProjectDocument* listed, const Selector& selector,
              int64_t now_ms);
// What of `listed` the upstream's page still has: for when new files cannot be had. What it took back goes anyway.
ProjectDocument what_remains(const ProjectDocument& listed, const ProjectDocument& wanted);

}  // namespace dae::mirror::sync
