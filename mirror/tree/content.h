#pragma once
// What of a project belongs into the tree: pages and files that are right however long nobody asks the mirror again.
// Anything that time changes soon, or that an upstream would have to be asked for, is the mirror's own to answer.
#include <string>
#include <vector>

#include "mirror/index/listing.h"
#include "mirror/tree/files.h"

namespace dae::mirror {

// All outlive it.
struct TreeSource {
  const Indexes& indexes;
  PageStore& pages;
  Policies& policies;
  Catalog& catalog;
};

struct TreeContent {
  std::vector<TreePage> pages;  // of the indexes and overlays, by name
  std::vector<TreeMark> marks;  // sorted
  int64_t next_ms = kNever;     // when it changes by itself
};

// What changes within this time is not in the tree: until then every page's lifetime is the longest there is, and what
// ends in time ends whether somebody writes the tree or not.
inline constexpr int64_t kTreeMarginMs = 1'205'000;

TreeContent tree_content(const TreeSource& source, const TreeFiles& files, const std::string& project, int64_t now_ms);

// As its answers say: people put things there, and look for them right after.
bool is_checked(const TreeSource& source, const std::string& index);
// The pages of an index come from its sync, uploads or promotions alone.
bool has_settled_pages(const TreeSource& source, const std::string& index);
TreePage tree_list(const TreeSource& source, const std::string& index);

}  // namespace dae::mirror
