#pragma once
// Who needs a blob: found after the fact, for the few that are damaged.
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "mirror/index/page_store.h"

namespace dae::mirror {

struct Lister {
  std::string index, project, file;  // of an index …
  bool metadata = false;             // … the file's metadata, not the file
  bool provenance = false;           // … or its attestations
  bool former = false;               // … only at an earlier revision
  std::string repository;            // … or a repository of the registry
  // "pypi: demo/demo-1.0.tar.gz", "repository apps/shop".
  std::string text() const;
};

// Those that nothing lists are absent. In the order of index, project and file. Looks through all documents when the
// tables of what is listed now do not answer.
std::map<Digest, std::vector<Lister>> find_listers(Catalog& catalog, PageStore& pages, const std::set<Digest>& digests);

// Calls for each document there is, or that some index lists now, in some order; one in memory at a time.
void for_each_document(Catalog& catalog, PageStore& pages,
                       const std::function<void(const std::string& sha256, const ProjectDocument&)>& visit);
// Each project that this index lists now.
void for_each_project(Catalog& catalog, PageStore& pages, const std::string& index,
                      const std::function<void(const std::string& project, const ProjectDocument&)>& visit);

}  // namespace dae::mirror
