#pragma once
// What the catalog has of projects, read for whoever keeps something made from it: cheaply, and in short pieces.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mirror/catalog.h"

namespace dae::mirror {

struct ProjectHead {
  std::string index, project;
  int64_t id = 0, revision = 0;  // equal as long as the index says the same of the project
};

std::vector<ProjectHead> heads_after(Catalog& catalog, const std::string& index, const std::string& project,
                                     size_t most);  // in the order of their names
std::vector<ProjectHead> heads_of(Catalog& catalog, const std::vector<std::string>& indexes,
                                  const std::string& project);

// The place of a row in the order in which rows moved.
struct MoveMark {
  int64_t changed = 0, id = 0;
};
MoveMark newest_move(Catalog& catalog);
// Those after `mark`, which is moved on; at most `most`.
std::vector<ProjectHead> moved_since(Catalog& catalog, MoveMark* mark, size_t most);

// By index and project: equal texts, equal allowances. There are few.
using AllowanceTexts = std::map<std::pair<std::string, std::string>, std::string>;
AllowanceTexts allowance_texts(Catalog& catalog);

}  // namespace dae::mirror
